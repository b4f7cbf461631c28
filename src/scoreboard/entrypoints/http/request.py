"""RequestContext: the request as a handler receives it."""

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
MAX_PARAMETERS = 20


class RequestContext:
    """One request to an endpoint.

    `path` has the values of the template's braces, in order. `principal` is None without a credential. `request` is
    aiohttp's, for handlers that stream their response.
    """

    __slots__ = ("_body_timeout_s", "_media_types", "path", "principal", "query_text", "request")

    def __init__(
        self,
        request: web.BaseRequest,
        media_types: Sequence[str],
        path: Sequence[str],
        query_text: str,
        principal: Principal | None,
        body_timeout_s: float,
    ) -> None:
        self.request = request
        self._media_types = media_types
        self.path = path
        self.query_text = query_text
        self.principal = principal
        self._body_timeout_s = body_timeout_s

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)

    def has_current(self, etag: str) -> bool:
        """Return whether `If-None-Match` lists this validator (RFC 9110, 13.1.2)."""
        listed = self.request.headers.get("If-None-Match")
        if listed is None:
            return False
        return listed.strip() == "*" or etag in {item.strip().removeprefix("W/") for item in listed.split(",")}

    async def body(self, limit: int = BODY_BYTES) -> bytes:
        """Return the body: up to `limit` bytes of an accepted type. Raises HttpError."""
        headers, content = self.request.headers, self.request.content
        media_type = headers.get("Content-Type", "")
        if (
            media_type not in self._media_types
            and media_type.partition(";")[0].strip().lower() not in self._media_types
        ):
            raise UNSUPPORTED_MEDIA_TYPE.error(
                f"the body has an unsupported media type; send Content-Type: {' or '.join(self._media_types)}"
            )
        if content.is_eof():  # small bodies arrive with the head
            body = content.read_nowait(-1)
        elif int(headers.get("Content-Length", 0)) > limit:
            raise _body_too_big(limit)
        else:
            if "Expect" in headers and self.request.transport is not None:
                self.request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await _read(content, limit, self._body_timeout_s)
        if len(body) > limit:
            raise _body_too_big(limit)
        return body

    def query(self, kind: type[T]) -> T:
        """Parse the query into a frozen struct of this type. Raises Invalid."""
        return cast("T", _parse_query(cast("Hashable", kind), self.query_text))


@lru_cache(maxsize=256)  # clients repeat the same few queries
def _parse_query(kind: Any, text: str) -> object:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise codes.INVALID_QUERY.error(
            f"the query is malformed; percent-encode up to {MAX_PARAMETERS} parameters as UTF-8"
        ) from error
    values = dict(pairs)
    if len(values) < len(pairs):
        raise codes.INVALID_QUERY.error("a query parameter is repeated; send each once")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise codes.INVALID_QUERY.error(f"a query parameter is unknown or invalid: {error}") from error


async def _read(content: Any, limit: int, timeout_s: float) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(timeout_s):
            while len(body) <= limit and (piece := await content.readany()):
                body += piece
    except TimeoutError as error:
        raise BODY_TIMEOUT.error(f"the body did not arrive within {timeout_s:g} s of the headers; retry") from error
    except (web.RequestPayloadError, ValueError) as error:
        raise codes.INVALID_BODY.error("the body is incomplete; retry with the complete body") from error
    return body


def _body_too_big(limit: int) -> HttpError:
    return BODY_TOO_BIG.error(f"the body is too large; send at most {limit:,} bytes")
