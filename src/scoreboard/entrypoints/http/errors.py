"""HttpError: failures of requests outside the use cases, and their codes."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

from scoreboard.domain.codes import Code
from scoreboard.entrypoints.http.timeouts import HttpTimeouts


class HttpError(Exception):
    """A request that failed before a use case ran, or unexpectedly.

    Each contract renders it in its own shape. The server adds `headers`, lines that end in CRLF, to the response.
    """

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: bytes = b"") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


@dataclass(frozen=True, slots=True)
class HttpCode:
    """A stable error code of the HTTP layer; those of use cases are `domain.codes`."""

    name: str
    status: HTTPStatus
    cause: str
    remedy: str

    def error(self, detail: str, headers: bytes = b"") -> HttpError:
        """Return the error to raise."""
        return HttpError(self.status, self.name, detail, headers)


ErrorCode: TypeAlias = Code[Any] | HttpCode


INVALID_REQUEST = HttpCode(
    "invalid_request",
    HTTPStatus.BAD_REQUEST,
    "The request is not well-formed HTTP, or its headers are too long.",
    "Inspect the request that the client, or a proxy in front of the server, sends.",
)
ROUTE_NOT_FOUND = HttpCode(
    "route_not_found",
    HTTPStatus.NOT_FOUND,
    "No endpoint of this process has this address.",
    "Compare the path with the API reference: `/docs` of a process with the role `serve` or `api`.",
)
METHOD_NOT_ALLOWED = HttpCode(
    "method_not_allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "The address exists, but not with this method.",
    "Use one of the methods in the `Allow` header of the response.",
)
BODY_TIMEOUT = HttpCode(
    "body_timeout",
    HTTPStatus.REQUEST_TIMEOUT,
    f"The body did not arrive within {HttpTimeouts().body_s:g} seconds of the headers.",
    "Check the network, and retry the request. Keep the `Idempotency-Key` of an update.",
)
BODY_TOO_BIG = HttpCode(
    "body_too_big",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body is larger than 64 KiB (4 MiB for a batch).",
    "Send smaller metadata, or several smaller batches.",
)
UNSUPPORTED_MEDIA_TYPE = HttpCode(
    "unsupported_media_type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is not declared as JSON.",
    "Send the header `Content-Type: application/json`.",
)
UNSUPPORTED_CONTENT_ENCODING = HttpCode(
    "unsupported_content_encoding",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The request has a `Content-Encoding` other than `identity`.",
    "Send the body uncompressed and without this header.",
)
INTERNAL_ERROR = HttpCode(
    "internal_error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The server failed unexpectedly; its log has the details.",
    "Retry an update under the same `Idempotency-Key`. If the error persists, report it with the lines of the log.",
)

HTTP_CODES = {code.name: code for code in list(globals().values()) if isinstance(code, HttpCode)}
