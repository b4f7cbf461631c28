"""What a call can end in, as one tree.

    ScoreboardClientError
    ├── NoAnswer           silence, or a connection that broke: whether an update counted is unknown, its key finds out
    ├── NotScoreboard      somebody answered, but not as a Scoreboard server does
    ├── Invalid            400 and other 4xx: the same request will never do
    ├── Unauthenticated    401: no token, or one that does not hold
    ├── Forbidden          403: a good token without the right
    ├── NotFound           404: no such app, board, player, season, region or event
    ├── Refused            409: well-formed, but a rule says no; nothing was changed
    ├── TooMany            429: a limit on the caller; `retry_after_s` says when to come back
    └── Unavailable        5xx: a limit or a fault of the server's; the same request may do later

`code` is stable, and what programs should look at; `detail` is for people and may change. No error holds the token.
"""

from http import HTTPStatus


class ScoreboardClientError(Exception):
    """The root of the tree. `status` is HTTP's, None where no HTTP answer says it (silence, a live connection)."""

    def __init__(self, code: str, detail: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(code, detail, status, retry_after_s)
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class NoAnswer(ScoreboardClientError):
    pass


class NotScoreboard(ScoreboardClientError):
    pass


class Invalid(ScoreboardClientError):
    pass


class Unauthenticated(ScoreboardClientError):
    pass


class Forbidden(ScoreboardClientError):
    pass


class NotFound(ScoreboardClientError):
    pass


class Refused(ScoreboardClientError):
    pass


class TooMany(ScoreboardClientError):
    pass


class Unavailable(ScoreboardClientError):
    pass


_OF_STATUS: dict[int, type[ScoreboardClientError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthenticated,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Refused,
    HTTPStatus.TOO_MANY_REQUESTS: TooMany,
}
_OF_LIVE_CODE: dict[str, type[ScoreboardClientError]] = {
    "token_missing": Unauthenticated,
    "wrong_app": Forbidden,
    "scope_missing": Forbidden,
    "invalid_season": Invalid,
    "ranking_warming": Unavailable,
    "ranking_unavailable": Unavailable,
}


def of_status(status: int, code: str, detail: str, retry_after_s: float | None = None) -> ScoreboardClientError:
    """The error that an answer of HTTP means."""
    default = Unavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid
    return _OF_STATUS.get(status, default)(code, detail, status, retry_after_s)


def of_live(code: str, detail: str) -> ScoreboardClientError:
    """The error that an `error` message of a live connection means: there are no statuses there."""
    default = NotFound if code.endswith("_not_found") else Refused
    return _OF_LIVE_CODE.get(code, default)(code, detail)
