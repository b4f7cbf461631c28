"""The errors that callers see, as one tree.

    ScoreboardError
    ├── Invalid            the request is malformed, and a retry cannot succeed
    ├── Unauthenticated    there is no credential, or it is not valid
    ├── Forbidden          the credential is valid but lacks a permission
    ├── NotFound           no such app, board, player, action, event or standing
    ├── Conflict           the request contradicts the stored state
    ├── Refused            a rule of the board rejects the request; nothing was changed
    ├── TooManyRequests    the caller reached a limit; `retry_after_s` is the wait
    └── Unavailable        the service failed or is overloaded; a retry may succeed

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
    pass


class Unauthenticated(ScoreboardError):
    pass


class Forbidden(ScoreboardError):
    pass


class NotFound(ScoreboardError):
    pass


class Conflict(ScoreboardError):
    pass


class Refused(ScoreboardError):
    pass


class TooManyRequests(ScoreboardError):
    pass


class Unavailable(ScoreboardError):
    """A failure of the service after which the outcome may be unknown.

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
