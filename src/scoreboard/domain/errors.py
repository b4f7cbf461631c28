"""The errors that callers see, as one tree.

`code` is stable and never changes its meaning. `detail` is for people and may change. Adapters translate the errors of
their technology into these. Each entry point renders them through one table.
"""

import os
import socket


class ScoreboardError(Exception):
    """The root of the tree. After any error but Unavailable, nothing was changed."""

    def __init__(self, code: str, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s


class Invalid(ScoreboardError):
    """A malformed request, which cannot succeed on a retry."""


class Unauthenticated(ScoreboardError):
    """A missing or invalid credential."""


class Forbidden(ScoreboardError):
    """A valid credential without the necessary permission."""


class NotFound(ScoreboardError):
    """A missing app, board, player, action, event or standing."""


class Conflict(ScoreboardError):
    """A request that contradicts the stored state."""


class Refused(ScoreboardError):
    """A valid request that a rule of the board refuses."""


class TooManyRequests(ScoreboardError):
    """A limit of the caller that is reached; `retry_after_s` is the wait."""


class Unavailable(ScoreboardError):
    """A failure or overload of the service. The outcome may be unknown.

    A retry under the same ids or idempotency key returns it.
    """


def describe_error(error: BaseException) -> str:
    """Describe an error in a few words for operators, by its type if it has no text."""
    match error:
        case TimeoutError():
            return "it does not answer"
        case socket.gaierror():
            return "there is no such host"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
        case _:
            return str(error) or type(error).__name__
