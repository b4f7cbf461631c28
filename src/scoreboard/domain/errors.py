"""Every error a user can be told, as one tree.

    ScoreboardError
    ├── Invalid            the request is malformed; the same request will never do
    ├── Unauthenticated    no credential, or one that does not hold
    ├── Forbidden          a good credential without the right
    ├── NotFound           no such app, board, player, action, event or standing
    ├── Conflict           it contradicts what is already there
    ├── Refused            well-formed, but a rule of the board says no; nothing was changed
    ├── TooMany            a limit on the caller; `retry_after_s` says when to come back
    └── Unavailable        a limit or a fault of ours; the same request may do later

`code` is stable and never changes its meaning; `detail` is for people and may. Adapters translate their technology's
errors into these at their edge; entry points render them through one table each.
"""

import os
import socket


class ScoreboardError(Exception):
    """The root of the tree. Raising one means: nothing was changed."""

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
    """Whether anything was changed may be unknown; a retry under the same ids or key finds out."""


def describe_error(error: BaseException) -> str:
    """What went wrong, for operators: a few words, never none. An error that says nothing is told by its kind."""
    match error:
        case TimeoutError():
            return "it does not answer"
        case socket.gaierror():
            return "there is no such host"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
        case _:
            return str(error) or type(error).__name__
