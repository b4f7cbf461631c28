"""Why a live connection is closed. The number says whether to come back.

1001 and 4000 to 4499: come back, after a growing, jittered wait. 4500 to 4999: do not; the same would happen again.
Who cannot be written to, or has been silent for too long, is cut off without a frame: it would not arrive, and the
client sees 1006. A message that is too big ends in 1009, as RFC 6455 has it.
"""

from typing import NamedTuple


class Close(NamedTuple):
    """`reason` goes out with the number; `cause` and `remedy` are for the reference."""

    code: int
    reason: str
    cause: str
    remedy: str


GOING_AWAY = Close(
    1001,
    "server going away; come back",
    "The server stops or restarts.",
    "Come back after a growing, jittered wait, with your position.",
)
CUT_OFF = Close(
    1006,
    "",
    "The connection broke: silent for 60 s, could not be written to for 30 s, or a fault of the network.",
    "Come back after a growing, jittered wait, with your position.",
)
TOO_BIG = Close(1009, "", "A message was longer than 8 KiB.", "Do not come back before the client is mended.")
TOO_MANY_CONNECTIONS = Close(
    4003,
    "too many connections; come back later",
    "As many live connections are open as the server takes.",
    "Come back later, after a growing, jittered wait.",
)
BAD_MESSAGE = Close(
    4500,
    "not a message of this protocol",
    "A message was not JSON, had an unknown type or field, or too many came at once.",
    "Do not come back before the client is mended.",
)
UNAUTHORIZED = Close(4501, "token refused", "The token of `authenticate` does not hold.", "Get a new token first.")
TOO_MANY_SUBSCRIPTIONS = Close(
    4502,
    "too many subscriptions",
    "More than 100 tables were subscribed to on one connection.",
    "Unsubscribe from some, or open a second connection.",
)

CLOSES = (GOING_AWAY, CUT_OFF, TOO_BIG, TOO_MANY_CONNECTIONS, BAD_MESSAGE, UNAUTHORIZED, TOO_MANY_SUBSCRIPTIONS)
