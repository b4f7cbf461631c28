"""Errors that a call can raise.

    ScoreboardClientError
    ├── TransportError     no response; repeat an update with the same key to learn whether it counted
    ├── UnexpectedResponse no response of a Scoreboard server
    ├── Invalid            400 and other 4xx: the request is invalid, and a repetition would be too
    ├── Unauthenticated    401: no token, or an invalid one
    ├── Forbidden          403: a valid token without the right
    ├── NotFound           404: no such app, board, player, season, region or event
    ├── Refused            409: a rule refuses the request, and nothing was changed
    ├── RateLimited        429: a limit of the caller is reached; `retry_after_s` is the time to wait
    └── Unavailable        5xx: a limit or a fault of the server; the same request may succeed later

`code` is stable and meant for programs. `detail` is for people and may change. No error contains the token.
"""

from http import HTTPStatus


class ScoreboardClientError(Exception):
    """Base of all errors. `status` is None without an HTTP response, as on a live connection."""

    def __init__(self, code: str, detail: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(code, detail, status, retry_after_s)
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class TransportError(ScoreboardClientError):
    pass


class UnexpectedResponse(ScoreboardClientError):
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


class RateLimited(ScoreboardClientError):
    pass


class Unavailable(ScoreboardClientError):
    pass


_BY_STATUS: dict[int, type[ScoreboardClientError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthenticated,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Refused,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
}
_BY_LIVE_CODE: dict[str, type[ScoreboardClientError]] = {
    "token_missing": Unauthenticated,
    "wrong_app": Forbidden,
    "scope_missing": Forbidden,
    "invalid_season": Invalid,
    "ranking_warming": Unavailable,
    "ranking_unavailable": Unavailable,
}


def error_of_status(status: int, code: str, detail: str, retry_after_s: float | None = None) -> ScoreboardClientError:
    """Return the error for the status of an HTTP response."""
    default = Unavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Invalid
    return _BY_STATUS.get(status, default)(code, detail, status, retry_after_s)


def error_of_live(code: str, detail: str) -> ScoreboardClientError:
    """Return the error for an `error` message of a live connection, which has no status."""
    default = NotFound if code.endswith("_not_found") else Refused
    return _BY_LIVE_CODE.get(code, default)(code, detail)
