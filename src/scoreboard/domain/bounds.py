"""Bounds of the fields of apps, boards, actions and players."""

PLAYER_ID_CHARS = 50
USERNAME_CHARS = 100
EMAIL_CHARS = 100
URL_CHARS = 500
MAX_TOP_N = 1_000
MAX_REGIONS = 100
MAX_PER_DAY = 1_000_000
MAX_COOLDOWN_S = 366 * 86_400
