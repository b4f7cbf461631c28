"""Why a live connection is closed. The number says whether to come back.

1001 and 4000 to 4499: come back, after a growing, jittered wait. 4500 to 4999: do not; the same would happen again.
Who cannot be written to, or has been silent for too long, is cut off without a frame: it would not arrive.
A message that is too big ends in 1009, as RFC 6455 has it.
"""

from typing import NamedTuple


class Close(NamedTuple):
    code: int
    reason: str


GOING_AWAY = Close(1001, "server going away; come back")
TOO_MANY_CONNECTIONS = Close(4003, "too many connections; come back later")
BAD_MESSAGE = Close(4500, "not a message of this protocol")
UNAUTHORIZED = Close(4501, "token refused")
TOO_MANY_SUBSCRIPTIONS = Close(4502, "too many subscriptions")
