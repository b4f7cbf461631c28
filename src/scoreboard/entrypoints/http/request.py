"""RequestContext: what a handler is given of a request."""

import asyncio
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from scoreboard.application.ports.authentication import Principal
from scoreboard.domain import codes
from scoreboard.entrypoints.http.errors import BODY_TIMEOUT, BODY_TOO_BIG, UNSUPPORTED_MEDIA_TYPE, HttpError

T = TypeVar("T")

BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 20.0
MAX_PARAMETERS = 20


class RequestContext:
    """One request to an endpoint. `path` are the values of the template's braces, in order.

    `principal` is the sender, None without a credential. `request` is aiohttp's, for a handler that streams its answer.
    """

    __slots__ = ("_media_types", "path", "principal", "query_text", "request")

    def __init__(
        self,
        request: web.BaseRequest,
        media_types: Sequence[str],
        path: Sequence[str],
        query_text: str,
        principal: Principal | None,
    ) -> None:
        self.request = request
        self._media_types = media_types
        self.path = path
        self.query_text = query_text
        self.principal = principal

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)

    async def body(self, limit: int = BODY_BYTES) -> bytes:
        """The body, of a media type that the contract accepts and of at most `limit` bytes. Raises HttpError."""
        headers, content = self.request.headers, self.request.content
        media_type = headers.get("Content-Type", "")
        if (
            media_type not in self._media_types
            and media_type.partition(";")[0].strip().lower() not in self._media_types
        ):
            raise UNSUPPORTED_MEDIA_TYPE.error(
                f"send Content-Type: {' or '.join(self._media_types)}",
            )
        if content.is_eof():  # it came with the head, as small bodies do
            body = content.read_nowait(-1)
        elif int(headers.get("Content-Length", 0)) > limit:
            raise _too_big(limit)
        else:
            if "Expect" in headers and self.request.transport is not None:
                self.request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await _read(content, limit)
        if len(body) > limit:
            raise _too_big(limit)
        return body

    def query(self, kind: type[T]) -> T:
        """The query's parameters as a (frozen) struct of this type, each at most once. Raises Invalid."""
        return cast("T", _query(cast("Hashable", kind), self.query_text))


@lru_cache(maxsize=256)  # most are asked again and again
def _query(kind: Any, text: str) -> object:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise codes.INVALID_QUERY.error("the query is not well formed") from error
    values = dict(pairs)
    if len(values) < len(pairs):
        raise codes.INVALID_QUERY.error("a query parameter is given twice")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise codes.INVALID_QUERY.error(str(error)) from error


async def _read(content: Any, limit: int) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while len(body) <= limit and (piece := await content.readany()):
                body += piece
    except TimeoutError as error:
        raise BODY_TIMEOUT.error("the body did not arrive in time") from error
    except (web.RequestPayloadError, ValueError) as error:
        raise codes.INVALID_BODY.error("the body did not arrive whole") from error
    return body


def _too_big(limit: int) -> HttpError:
    return BODY_TOO_BIG.error(f"the body may have {limit} bytes at most")
