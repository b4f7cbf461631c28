"""Close codes of live connections. The number says whether to reconnect.

After 1001 and 4000 to 4499, a client reconnects after a growing wait with jitter. After 4500 to 4999 it does not, since
the same would happen again. A client that stops reading or sending is disconnected without a close frame, which would
not arrive: it sees 1006. A message that is too large is answered with 1009, as RFC 6455 defines.
"""

from typing import NamedTuple


class Close(NamedTuple):
    """A close code with its texts."""

    code: int
    reason: str  # sent with the code
    cause: str  # shown in the reference, like the remedy
    remedy: str


GOING_AWAY = Close(
    1001,
    "server is shutting down; reconnect",
    "The server stops or restarts.",
    "Reconnect with your position, after a growing wait with jitter.",
)
CUT_OFF = Close(
    1006,
    "",
    "The connection was silent for 60 s, could not be written to for 30 s, or was lost in the network.",
    "Reconnect with your position, after a growing wait with jitter.",
)
TOO_BIG = Close(1009, "", "A message was longer than 8 KiB.", "Fix the client before it reconnects.")
TOO_MANY_CONNECTIONS = Close(
    4003,
    "too many connections; try again later",
    "The server has reached its limit of live connections.",
    "Reconnect later, after a growing wait with jitter.",
)
BAD_MESSAGE = Close(
    4500,
    "not a message of this protocol",
    "A message was not JSON, had an unknown type or field, or too many arrived at once.",
    "Fix the client before it reconnects.",
)
UNAUTHORIZED = Close(4501, "token refused", "The token of `authenticate` is not valid.", "Get a new token first.")
TOO_MANY_SUBSCRIPTIONS = Close(
    4502,
    "too many subscriptions",
    "One connection had more than 100 subscriptions.",
    "Unsubscribe from some tables, or open a second connection.",
)

CLOSES = (GOING_AWAY, CUT_OFF, TOO_BIG, TOO_MANY_CONNECTIONS, BAD_MESSAGE, UNAUTHORIZED, TOO_MANY_SUBSCRIPTIONS)
