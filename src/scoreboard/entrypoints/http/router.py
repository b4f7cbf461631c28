"""Operations: what a door offers, declared once. Routing, decoding and OpenAPI all follow from the declaration."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import StreamReader, web

from scoreboard.application.ports.authentication import Access, Credential
from scoreboard.domain.errors import Invalid, Unauthenticated
from scoreboard.entrypoints.http.problems import HttpError
from scoreboard.entrypoints.http.response import JSON

T = TypeVar("T")

ANY = object()  # the key of a brace in the tree: no segment of a path equals it
BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 20.0
MAX_PARAMETERS = 20


class Request(Protocol):
    """What an operation needs of a request."""

    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> StreamReader: ...
    @property
    def transport(self) -> asyncio.Transport | None: ...


class RequestContext:
    """One request to an operation. `path` are the values of the template's braces, in order."""

    __slots__ = ("_access", "_request", "path", "query_text")

    def __init__(self, request: Request, path: Sequence[str], query_text: str, access: Access) -> None:
        self._request = request
        self.path = path
        self.query_text = query_text
        self._access = access

    @property
    def request(self) -> web.BaseRequest:
        """aiohttp's request, for an operation that streams its answer."""
        return cast("web.BaseRequest", self._request)

    def header(self, name: str) -> str | None:
        return self._request.headers.get(name)

    def credential(self) -> Credential | None:
        """Who asks; None without a token. Raises Unauthenticated for a token that does not hold."""
        header = self._request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_invalid", "send the token as Authorization: Bearer <token>")
        return self._access.verify(token)

    async def body(self, limit: int = BODY_BYTES) -> bytes:
        """The body, JSON by its media type, of at most `limit` bytes."""
        headers, content = self._request.headers, self._request.content
        media_type = headers.get("Content-Type", "")
        if media_type != JSON and media_type.partition(";")[0].strip().lower() != JSON:
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send Content-Type: application/json"
            )
        if content.is_eof():  # it came with the head, as small bodies do
            body = content.read_nowait(-1)
        elif int(headers.get("Content-Length", 0)) > limit:
            raise _too_big(limit)
        else:
            if "Expect" in headers and self._request.transport is not None:
                self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await _read(content, limit)
        if len(body) > limit:
            raise _too_big(limit)
        return body

    def query(self, kind: type[T]) -> T:
        """The query's parameters as a (frozen) struct of this type, each at most once."""
        return cast("T", _query(cast("Hashable", kind), self.query_text))


@lru_cache(maxsize=256)  # most are asked again and again
def _query(kind: Any, text: str) -> object:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise Invalid("invalid_query", "the query is not well formed") from error
    values = dict(pairs)
    if len(values) < len(pairs):
        raise Invalid("invalid_query", "a query parameter is given twice")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid("invalid_query", str(error)) from error


async def _read(content: Any, limit: int) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while len(body) <= limit and (piece := await content.readany()):
                body += piece
    except TimeoutError as error:
        raise HttpError(HTTPStatus.REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time") from error
    except (web.RequestPayloadError, ValueError) as error:
        raise Invalid("invalid_body", "the body did not arrive whole") from error
    return body


def _too_big(limit: int) -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_big", f"the body may have {limit} bytes at most")


def decoded(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Raises Invalid: `invalid_json` for what is not JSON, `invalid_body` for what is not what was asked for."""
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into what is kept as it came, such as metadata
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid("invalid_body", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("invalid_json", f"the body is not JSON: {error}") from error


Handler = Callable[[RequestContext], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is a template such as `/v1/apps/{app}`. `replies` are the success answers: a type for JSON, None for an
    empty body, text for another media type; `sends` are headers of theirs. `errors` are the codes of its refusals
    beside those that its path, body, query and token imply. The handler's docstring describes it to users, in Markdown.
    One that `streams` writes its answer itself, to the connection; any other returns a Response.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    tag: str
    body: type | None = None
    query: type | None = None
    headers: tuple[str, ...] = ()
    replies: dict[int, type | str | None] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    secured: bool = True
    described: bool = True
    streams: bool = False

    @property
    def description(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def path_names(self) -> list[str]:
        """What stands in the braces of the path, in order."""
        return [segment[1:-1] for segment in self.path.split("/") if segment.startswith("{")]

    @property
    def personal(self) -> bool:
        """Whether it looks at a token, be it that it needs none for a public board."""
        return self.tag != "service"


class Router:
    """A tree of path segments: the cost of a match does not grow with the number of routes."""

    def __init__(self, operations: Sequence[Endpoint]) -> None:
        self._root: dict[object, Any] = {}
        for operation in operations:
            node = self._root
            for segment in operation.path.split("/")[1:]:
                node = node.setdefault(ANY if segment.startswith("{") else segment, {})
            node.setdefault(None, {})[operation.method] = operation

    def match(self, method: str, path: str) -> tuple[Endpoint, list[str]]:
        """The operation for a raw (still percent-encoded) path, and the values of its braces. Raises HttpError.

        A literal segment goes before a brace, unless that way leads nowhere: a player may be called like a word.
        """
        segments, asked = path.split("/")[1:], "GET" if method == "HEAD" else method
        node, values = self._root, []
        for segment in segments:  # the first way is nearly always the right one
            child = node.get(segment)
            if child is None:
                child = node.get(ANY) if segment else None
                values.append(segment)
            if child is None:
                return self._other_way(segments, asked)
            node = child
        operation = node[None].get(asked) if None in node else None
        if operation is None:
            return self._other_way(segments, asked)
        return operation, [_unquoted(value) if "%" in value else value for value in values]

    def _other_way(self, segments: list[str], asked: str) -> tuple[Endpoint, list[str]]:
        allowed: set[str] = set()
        for methods, values in _ways(self._root, segments, 0):
            operation = methods.get(asked)
            if operation is not None:
                return operation, [_unquoted(value) if "%" in value else value for value in values]
            allowed |= methods.keys()
        if not allowed:
            raise HttpError(HTTPStatus.NOT_FOUND, "route_not_found", "there is nothing at this address")
        shown = ", ".join(sorted({*allowed, *(("HEAD",) if "GET" in allowed else ()), "OPTIONS"}))
        raise HttpError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method_not_allowed",
            f"this address takes {shown}",
            f"Allow: {shown}\r\n".encode(),
        )


def _ways(node: dict[object, Any], segments: list[str], at: int) -> Iterator[tuple[dict[str, Endpoint], list[str]]]:
    """Every way through the tree, the literal ones first: the methods at its end, and the values on it."""
    if at == len(segments):
        if None in node:
            yield node[None], []
        return
    segment = segments[at]
    if segment in node:
        yield from _ways(node[segment], segments, at + 1)
    if segment and ANY in node:
        for methods, values in _ways(node[ANY], segments, at + 1):
            yield methods, [segment, *values]


def _unquoted(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise Invalid("invalid_path", "the address is not UTF-8") from error
