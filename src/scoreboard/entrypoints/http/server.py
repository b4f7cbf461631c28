"""The server: from a connection to an operation and back. Nothing a client sends ends in a stack trace."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from prometheus_client import CollectorRegistry, Counter

from scoreboard.application.live.origins import Origins
from scoreboard.application.ports.access import Access
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http import problems
from scoreboard.entrypoints.http.latencies import Latencies
from scoreboard.entrypoints.http.operations import Call, Operation, Router
from scoreboard.entrypoints.http.problems import HttpError
from scoreboard.entrypoints.http.reply import Reply

log = structlog.get_logger(__name__)

HEAD_TIMEOUT_S = 20.0  # for the first request on a connection to arrive
LINE_BYTES = 8_190
PREFLIGHT = (
    b"Access-Control-Allow-Methods: GET, POST, PATCH, DELETE\r\n"
    b"Access-Control-Allow-Headers: "
    b"Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Last-Event-ID\r\n"
    b"Access-Control-Max-Age: 600\r\n"
)
EXPOSED = "ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Idempotent-Replayed, Location"


class _Connection(RequestHandler):
    """aiohttp's connection, with problem details for what is not HTTP, and an end for who connects and says nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._loop.call_later(HEAD_TIMEOUT_S, self._end_if_silent)

    def _end_if_silent(self) -> None:
        if self._request_count == 0 and self.transport is not None:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_failed", path=request.path, exc_info=exc)
            reply = problems.problem(HTTPStatus(status), "internal_error", "the server failed; it was logged")
        else:
            reply = problems.problem(HTTPStatus(status), "invalid_request", "this is not a well-formed HTTP request")
        reply.force_close()
        return reply


class _Connections(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Server:
    def __init__(
        self,
        operations: Sequence[Operation],
        access: Access,
        origins: Origins,
        registry: CollectorRegistry,
    ) -> None:
        self._router = Router(operations)
        self._access = access
        self._origins = origins
        self._latencies = Latencies()
        registry.register(self._latencies)
        self._failures = Counter(
            "scoreboard_http_unhandled_total", "Requests that ended in an error nobody expected.", registry=registry
        )

    def connections(self) -> web.Server:
        """The factory of connections, for a listening socket."""
        return _Connections(
            self._handle, access_log=None, keepalive_timeout=75.0, max_line_size=LINE_BYTES, max_field_size=LINE_BYTES
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        path, _, query_text = request.raw_path.partition("?")
        name = "none"
        try:
            operation, values = self._router.match(request.method, path)
            name = operation.name
            response = await operation.handler(Call(request, values, query_text, self._access))
        except ScoreboardError as error:
            response = problems.of_error(error)
        except HttpError as error:
            response = self._http_error(request, error)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            self._failures.inc()
            log.exception("operation_failed", operation=name)
            response = problems.problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the server failed; it was logged"
            )
        origin = request.headers.get("Origin")
        if (origin is not None or self._origins.any) and isinstance(response, Reply):
            response.add(self._cors(origin))
        self._latencies.observe(name, response.status, time.perf_counter() - started)
        return response

    def _http_error(self, request: web.BaseRequest, error: HttpError) -> Reply:
        if error.status is HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
            return Reply(204, b"", error.headers + PREFLIGHT)
        reply = problems.problem(error.status, error.code, error.detail, error.headers)
        if error.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            reply.force_close()
        return reply

    def _cors(self, origin: str | None) -> bytes:
        """Headers by which a browser lets a page of an allowed origin read the answer."""
        allowed = None if origin is None else self._origins.header(origin)
        if allowed is None:
            return b"Vary: Origin\r\n"
        lines = (
            f"Access-Control-Allow-Origin: {allowed}",
            f"Access-Control-Expose-Headers: {EXPOSED}",
            "Vary: Origin",
            "",
        )
        return "\r\n".join(lines).encode()
