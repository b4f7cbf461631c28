"""Errors of `/v1`: RFC 9457 problem details, and the status of each kind of error."""

import math
from http import HTTPStatus

import msgspec

from scoreboard.domain import codes, errors
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http.errors import HTTP_CODES, ErrorCode, HttpCode, HttpError
from scoreboard.entrypoints.http.json_body import UNCACHED, encode_json
from scoreboard.entrypoints.http.response import Response

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[type[ScoreboardError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Refused: HTTPStatus.CONFLICT,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

CODES: dict[str, ErrorCode] = {**HTTP_CODES, **codes.CODES}
"""Every code of a response of `/v1`, by its name."""


def status_of(code: ErrorCode) -> HTTPStatus:
    """Return the status of the responses with this code."""
    return code.status if isinstance(code, HttpCode) else STATUSES[code.kind]


class Problem(msgspec.Struct):
    """Problem details with a stable `code`; `detail` is for people."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"


def render_error(error: ScoreboardError | HttpError) -> Response:
    """Return the problem details of a refusal or failure."""
    if isinstance(error, HttpError):
        return _problem(error.status, error, UNCACHED)
    headers = UNCACHED
    if error.retry_after_s is not None:
        headers = b"Retry-After: %d\r\n" % max(1, math.ceil(error.retry_after_s)) + headers
    if isinstance(error, errors.Unauthenticated):
        headers = b'WWW-Authenticate: Bearer realm="scoreboard"\r\n' + headers
    return _problem(STATUSES[type(error)], error, headers)


def _problem(status: HTTPStatus, error: ScoreboardError | HttpError, headers: bytes) -> Response:
    body = encode_json(Problem(status.phrase, status.value, error.detail, error.code))
    return Response(status.value, body, headers, MEDIA_TYPE)
