"""What names may look like."""

import re

from scoreboard.domain.errors import Invalid

PLAYER_ID_CHARS = 50
USERNAME_CHARS = 100
EMAIL_CHARS = 100
URL_CHARS = 500

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_slug(what: str, text: str) -> str:
    """An id that stands in addresses: apps, boards, actions, regions."""
    if not _SLUG.fullmatch(text):
        raise Invalid(
            f"invalid_{what}", f"{what} ids are 1 to 50 of a-z, 0-9, '-' and '_', starting with a letter or digit"
        )
    return text


def check_player(text: str) -> str:
    """A player id: 1 to 50 printable characters of any script. `str.isprintable` also refuses lone surrogates."""
    if not 0 < len(text) <= PLAYER_ID_CHARS or not text.isprintable():
        raise Invalid("invalid_player", f"a player id is 1 to {PLAYER_ID_CHARS} printable characters")
    return text


def check_text(what: str, text: str, limit: int) -> str:
    """A name or address shown to people."""
    if not 0 < len(text) <= limit or not text.isprintable():
        raise Invalid(f"invalid_{what}", f"{what} is 1 to {limit} printable characters")
    return text


def check_idempotency_key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise Invalid("invalid_idempotency_key", "an idempotency key is 1 to 255 visible ASCII characters, no spaces")
    return text
