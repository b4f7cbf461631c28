"""The index of error codes: every `code`, with its cause and its remedy.

An error is raised through its code: `raise codes.BOARD_NOT_FOUND.error("this app has no such board")`. A code never
changes its meaning. `docs/reference/codes.md` and the API description are made from this index.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scoreboard.domain.bounds import (
    EMAIL_CHARS,
    MAX_PER_DAY,
    MAX_REGIONS,
    MAX_TOP_N,
    PLAYER_ID_CHARS,
    URL_CHARS,
    USERNAME_CHARS,
)
from scoreboard.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ScoreboardError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

E_co = TypeVar("E_co", bound=ScoreboardError, covariant=True)


@dataclass(frozen=True, slots=True)
class Code(Generic[E_co]):
    """A stable error code. `kind` is its branch of the error tree."""

    name: str
    kind: type[E_co]
    cause: str
    remedy: str

    def error(self, detail: str, *, retry_after_s: float | None = None) -> E_co:
        """Return the error to raise. `detail` is a text for people."""
        return self.kind(self.name, detail, retry_after_s=retry_after_s)


_SLUG = "Use 1 to 50 of `a-z`, `0-9`, `-` and `_`, starting with a letter or digit."
_TOKEN = "Create one with `scoreboard token` and send it as `Authorization: Bearer <token>`."  # noqa: S105 - a text
_RETRY = "Wait for the time in `Retry-After`, then retry the request. Keep the `Idempotency-Key` of an update."
_OTHER_ID = "Choose another id, or change the existing one with `PATCH`."
_LIST = "Compare the id with the list at the parent path, which requires an admin's token. Ids are case-sensitive."
_RETRY_UPDATE = "Retry under the same `Idempotency-Key`: the update is counted once. The server's log has the error."

INVALID_PATH = Code("invalid_path", Invalid, "The address is not UTF-8.", "Percent-encode ids in addresses as UTF-8.")
INVALID_QUERY = Code(
    "invalid_query",
    Invalid,
    "A query parameter is unknown, repeated, or of another type.",
    "`detail` names it; compare with the API reference.",
)
INVALID_JSON = Code(
    "invalid_json", Invalid, "The body is not JSON.", "Send JSON in UTF-8. `detail` describes the error."
)
INVALID_BODY = Code(
    "invalid_body",
    Invalid,
    "The body is JSON, but a field is missing, unknown, or of another type.",
    "`detail` names the field; compare with the API reference.",
)
ONE_VALUE = Code(
    "one_value",
    Invalid,
    "The update has none, or more than one, of `action`, `increment` and `score`.",
    "Send exactly one of them.",
)
OPERATOR_MISMATCH = Code(
    "operator_mismatch",
    Invalid,
    "The board's operator requires the other one of `increment` and `score`.",
    "Send `increment` to a board with the operator `increment`, and `score` to `best` and `latest`.",
)
IN_THE_FUTURE = Code(
    "in_the_future",
    Invalid,
    "The time in the event id of an imported entry is in the future by the clock of this server.",
    "Correct the clocks of both machines, and import the entry again.",
)
INVALID_VALUE = Code(
    "invalid_value", Invalid, "The value of an entry exceeds 64 bits.", "Import the entry as it was exported."
)
UNKNOWN_ACTION = Code(
    "unknown_action", Invalid, "The app has no action with this id.", "Create the action, or correct its id."
)
UNKNOWN_REGION = Code(
    "unknown_region", Invalid, "The board does not have this region.", "Send one of the board's `regions`, or none."
)
METADATA_TOO_BIG = Code(
    "metadata_too_big",
    Invalid,
    "The metadata is longer than 2,048 bytes of JSON.",
    "Store the data elsewhere, and send a reference to it.",
)
INVALID_IDEMPOTENCY_KEY = Code(
    "invalid_idempotency_key",
    Invalid,
    "The idempotency key is empty, longer than 255 characters, or not visible ASCII.",
    "Use a UUID, for example.",
)
INVALID_BATCH = Code(
    "invalid_batch", Invalid, "A batch has no updates, or more than 1,000.", "Send the updates in several batches."
)
INVALID_EVENT = Code(
    "invalid_event", Invalid, "The id is not an event id.", "Use the `event` of the response to the update."
)
INVALID_SEASON = Code(
    "invalid_season",
    Invalid,
    "The board cannot have a season of this name.",
    "The name depends on the board's period: `all`, `2026-11-21`, `2026-W47` or `2026-11`. Or use `current`.",
)
INVALID_CURSOR = Code(
    "invalid_cursor",
    Invalid,
    "The cursor was changed, comes from another server, or belongs to another table.",
    "Start again without a cursor.",
)
INVALID_LIMIT = Code(
    "invalid_limit",
    Invalid,
    "The limit of a page is out of range.",
    "Request from 1 to 1,000 entries, and continue with `next_cursor`.",
)
INVALID_RADIUS = Code("invalid_radius", Invalid, "The number of neighbours is out of range.", "Request from 1 to 100.")
INVALID_PLAYERS = Code(
    "invalid_players", Invalid, "The query has no players, or too many.", "Request 1 to 200 players at a time."
)
INVALID_APP = Code("invalid_app", Invalid, "The text is not a valid app id.", _SLUG)
INVALID_BOARD = Code("invalid_board", Invalid, "The text is not a valid board id.", _SLUG)
INVALID_ACTION = Code("invalid_action", Invalid, "The text is not a valid action id.", _SLUG)
INVALID_REGION = Code("invalid_region", Invalid, "The text is not a valid region id.", _SLUG)
INVALID_PLAYER = Code(
    "invalid_player",
    Invalid,
    "The text is not a valid player id.",
    f"Use 1 to {PLAYER_ID_CHARS} printable characters of any script.",
)
INVALID_NAME = Code(
    "invalid_name",
    Invalid,
    "The name is empty, too long, or has unprintable characters.",
    f"Use 1 to {USERNAME_CHARS} printable characters.",
)
INVALID_USERNAME = Code(
    "invalid_username",
    Invalid,
    "The username is empty, too long, or has unprintable characters.",
    f"Use 1 to {USERNAME_CHARS} printable characters.",
)
INVALID_EMAIL = Code(
    "invalid_email",
    Invalid,
    "The e-mail address is empty, too long, or has unprintable characters.",
    f"Use 1 to {EMAIL_CHARS} printable characters.",
)
INVALID_AVATAR_URL = Code(
    "invalid_avatar_url",
    Invalid,
    "The address of the avatar cannot be used on a page.",
    f"Start it with `https://` or `/`; use at most {URL_CHARS} characters.",
)
INVALID_TIME_ZONE = Code(
    "invalid_time_zone",
    Invalid,
    "The time zone does not exist.",
    "Use a name of the IANA database, such as `Europe/Berlin`.",
)
INVALID_REGIONS = Code(
    "invalid_regions",
    Invalid,
    f"There are more than {MAX_REGIONS} regions, or one is repeated.",
    "List each region once.",
)
INVALID_TOP_N = Code(
    "invalid_top_n", Invalid, "The size of the live top N is out of range.", f"Use a number from 1 to {MAX_TOP_N:,}."
)
INVALID_BOUNDS = Code(
    "invalid_bounds",
    Invalid,
    "A bound exceeds 64 bits, or a lower bound is above its upper bound.",
    "Use signed 64-bit integers, the lower one first.",
)
INVALID_POINTS = Code("invalid_points", Invalid, "The points exceed 64 bits.", "Use a signed 64-bit integer.")
INVALID_PER_DAY = Code(
    "invalid_per_day",
    Invalid,
    "`per_day` is out of range.",
    f"Use a number from 1 to {MAX_PER_DAY:,}, or null for no limit.",
)
INVALID_COOLDOWN = Code(
    "invalid_cooldown", Invalid, "`cooldown_s` is out of range.", "Use a number of seconds from 0 to one year."
)

TOKEN_MISSING = Code("token_missing", Unauthenticated, "The operation requires a token, and none was sent.", _TOKEN)
TOKEN_INVALID = Code(
    "token_invalid",
    Unauthenticated,
    "The token is malformed, was changed, is not valid yet, or was signed with another server's key.",
    "Create one with `scoreboard token` and the data folder or signing key of this server.",
)
TOKEN_EXPIRED = Code(
    "token_expired", Unauthenticated, "The token has expired.", "Create a new token with `scoreboard token`."
)

WRONG_APP = Code("wrong_app", Forbidden, "The token belongs to another app.", "Use a token of the app in the address.")
SCOPE_MISSING = Code(
    "scope_missing",
    Forbidden,
    "The token is valid, but does not permit this operation.",
    "Management requires an admin's token: `scoreboard token admin`. Players and servers can only read and update.",
)
WRONG_PLAYER = Code(
    "wrong_player",
    Forbidden,
    "A player's token was used to update another player.",
    "Omit `player`, or send the update from your server.",
)
VALUE_NOT_ALLOWED = Code(
    "value_not_allowed",
    Forbidden,
    "A player's token sent a value to a board that accepts only actions from players.",
    "Send an `action`, or set the board's `player_values` if players may report their own scores.",
)
SERVER_ONLY = Code(
    "server_only",
    Forbidden,
    "A batch was sent with a player's token.",
    "Send batches from your server, with a server's token.",
)
OPERATOR_ONLY = Code(
    "operator_only",
    Forbidden,
    "Only the operator may list, create and delete apps, and manage dead letters.",
    "Use the operator's token: `scoreboard token admin --app '*'`.",
)
ORIGIN_NOT_ALLOWED = Code(
    "origin_not_allowed",
    Forbidden,
    "A page of another site opened a live connection, and its origin is not allowed.",
    "Add the origin to the setting `SCOREBOARD_ORIGINS`.",
)
SUBSCRIPTION_ENDED = Code(
    "subscription_ended",
    Forbidden,
    "The board of a live subscription was deleted or made private.",
    "Subscribe to another board, or again with a token that may read this one.",
)
WEBSOCKET_ONLY = Code(
    "websocket_only",
    Forbidden,
    "A plain HTTP request was sent to the address of the WebSocket.",
    "Connect with a WebSocket client.",
)

APP_NOT_FOUND = Code("app_not_found", NotFound, "The app does not exist.", _LIST)
BOARD_NOT_FOUND = Code("board_not_found", NotFound, "The app has no such board, or it was deleted.", _LIST)
ACTION_NOT_FOUND = Code("action_not_found", NotFound, "The app has no such action.", _LIST)
PLAYER_NOT_FOUND = Code(
    "player_not_found",
    NotFound,
    "The app has no such player.",
    "Create the player, or send a first update, which creates one.",
)
STANDING_NOT_FOUND = Code(
    "standing_not_found",
    NotFound,
    "The player exists, but has no score in this season and region.",
    "Show the player as not yet ranked.",
)
REGION_NOT_FOUND = Code(
    "region_not_found",
    NotFound,
    "The board does not have this region.",
    "Request one of the board's `regions`, or none.",
)
EVENT_NOT_FOUND = Code(
    "event_not_found",
    NotFound,
    "The app has no such update, its board was deleted, or it belongs to another player.",
    "Use the `event` of the response to the update.",
)
LETTER_NOT_FOUND = Code(
    "letter_not_found",
    NotFound,
    "The dead letter does not exist, or was requeued or dropped.",
    "List the dead letters with `scoreboard dlq list`.",
)
FILE_NOT_FOUND = Code(
    "file_not_found",
    NotFound,
    "The page has no such file.",
    "Reload the page, as it belongs to another version of the server.",
)

APP_EXISTS = Code("app_exists", Conflict, "An app with this id already exists.", _OTHER_ID)
BOARD_EXISTS = Code("board_exists", Conflict, "A board with this id already exists in the app.", _OTHER_ID)
ACTION_EXISTS = Code("action_exists", Conflict, "An action with this id already exists in the app.", _OTHER_ID)
PLAYER_EXISTS = Code("player_exists", Conflict, "A player with this id already exists in the app.", _OTHER_ID)
KEY_REUSED = Code(
    "key_reused",
    Conflict,
    "The idempotency key was used for a different request. This request was not counted.",
    "Use a new key for each new update, and the same key only to retry it.",
)
KEY_REPLAYED = Code(
    "key_replayed",
    Conflict,
    "A queued update was sent again before the first was applied; the first one counts.",
    "No action is needed. `detail` names the event of the outcome.",
)
KEY_SPENT = Code(
    "key_spent",
    Conflict,
    "The idempotency key belongs to an update of a player or board that was deleted.",
    "Use a new key if this is a new update.",
)

VALUE_OUT_OF_BOUNDS = Code(
    "value_out_of_bounds",
    Refused,
    "The value is outside the board's `min_value` to `max_value`.",
    "Send a value within the bounds, or widen them.",
)
TOTAL_OUT_OF_BOUNDS = Code(
    "total_out_of_bounds",
    Refused,
    "The player's total would exceed the board's `min_total` to `max_total`.",
    "Create a board with wider totals; they are fixed at creation.",
)
ACTION_LIMIT = Code(
    "action_limit",
    Refused,
    "The player has reached the daily limit of this action.",
    "The action counts again on the next day in the app's time zone.",
)
ACTION_COOLDOWN = Code(
    "action_cooldown",
    Refused,
    "The cooldown of this action has not passed.",
    "The action counts again after the time in `Retry-After`.",
)
DROPPED = Code(
    "dropped",
    Refused,
    "A queued update could not be applied, and the operator dropped it.",
    "Ask the operator of the server for the reason.",
)
NOT_STORABLE = Code(
    "not_storable",
    Refused,
    "The database rejected this one update.",
    "Check the update for unusual values; the log has the database's message.",
)

RATE_LIMITED = Code(
    "rate_limited",
    TooManyRequests,
    "The credential has reached its limit of updates.",
    "Wait for the time in `Retry-After`, then retry. The operator of the server can raise the limits.",
)

OVERLOADED = Code("overloaded", Unavailable, "Too many updates are waiting for the database.", _RETRY)
SHUTTING_DOWN = Code("shutting_down", Unavailable, "The server is stopping.", _RETRY)
STORAGE_FULL = Code(
    "storage_full", Unavailable, "The disk is full; nothing was counted.", "Free disk space, then retry the update."
)
STORAGE_FAILED = Code(
    "storage_failed",
    Unavailable,
    "The database failed; it may be unknown whether an update was counted.",
    _RETRY_UPDATE,
)
QUEUE_UNAVAILABLE = Code(
    "queue_unavailable",
    Unavailable,
    "The queue's server is unreachable, out of memory or disk, or lacks its queues; an update may have been accepted.",
    _RETRY_UPDATE,
)
NOT_READY = Code(
    "not_ready", Unavailable, "The server has just started and is loading its rankings.", "Retry after a second."
)
RANKING_WARMING = Code(
    "ranking_warming", Unavailable, "The ranking of this table is being loaded.", "Retry after a second."
)
RANKING_UNAVAILABLE = Code(
    "ranking_unavailable",
    Unavailable,
    "The ranking is unreachable; updates are still accepted.",
    "Retry after a second.",
)
LIMITS_UNAVAILABLE = Code(
    "limits_unavailable",
    Unavailable,
    "The Redis server that stores the rate limits is unreachable.",
    "No action is needed by clients. Each process counts separately until the Redis server is reachable.",
)
TOO_MANY_CONNECTIONS = Code(
    "too_many_connections",
    Unavailable,
    "The server has reached its limit of connections, or of live connections.",
    "Retry later, or raise `SCOREBOARD_HTTP_CONNECTIONS` or `SCOREBOARD_LIVE_CONNECTIONS`.",
)

CODES: dict[str, Code[Any]] = {code.name: code for code in list(globals().values()) if isinstance(code, Code)}
