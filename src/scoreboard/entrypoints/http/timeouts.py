"""HttpTimeouts: the time-outs of HTTP connections and requests."""

from dataclasses import dataclass

from scoreboard.application.ports.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class HttpTimeouts(Timeouts):
    """Time-outs of HTTP connections and requests.

    `head_s` runs from the first byte of a request, or from the connection, to the end of the head. `body_s` runs from
    there to the end of the body. `keep_alive_s` ends idle connections, and those whose client does not read.
    """

    head_s: float = 20.0
    body_s: float = 20.0
    keep_alive_s: float = 75.0
