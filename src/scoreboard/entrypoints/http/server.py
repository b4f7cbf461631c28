"""The server: from a connection to an operation and back. Nothing a client sends ends in a stack trace."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from scoreboard.application.live.origins import Origins
from scoreboard.application.ports.authentication import Access
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http import problems
from scoreboard.entrypoints.http.connection import Connection, Connections
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.problems import HttpError
from scoreboard.entrypoints.http.request_durations import RequestDurations
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.router import Endpoint, Request, RequestContext, Router

log = structlog.get_logger(__name__)

PREFLIGHT = (
    b"Access-Control-Allow-Methods: GET, POST, PATCH, DELETE\r\n"
    b"Access-Control-Allow-Headers: "
    b"Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, Last-Event-ID\r\n"
    b"Access-Control-Max-Age: 600\r\n"
)
EXPOSED = (
    "ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Idempotent-Replayed, Preference-Applied, Location"
)


class Server:
    def __init__(
        self,
        operations: Sequence[Endpoint],
        access: Access,
        origins: Origins,
        admission: ConnectionLimiter,
        registry: CollectorRegistry,
    ) -> None:
        self._router = Router(operations)
        self._access = access
        self._origins = origins
        self._admission = admission
        self._latencies = RequestDurations()
        registry.register(self._latencies)
        self._failures = Counter(
            "scoreboard_http_unhandled_total", "Requests that ended in an error nobody expected.", registry=registry
        )

    def connections(self, kind: type[Connection] = Connection) -> Connections:
        """The factory of connections, for a listening socket."""
        return Connections(self._answer, self._admission, kind)

    async def _answer(self, request: Request) -> web.StreamResponse:
        started = time.perf_counter()
        path, _, query_text = request.raw_path.partition("?")
        if not path.startswith("/"):
            path = _without_server(path)
        name = "none"
        try:
            if "Content-Encoding" in request.headers:
                _refuse_encoded_body(request)
            operation, values = self._router.match(request.method, path)
            name = operation.name
            response = await operation.handler(RequestContext(request, values, query_text, self._access))
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
        if (origin is not None or self._origins.any) and isinstance(response, Response):
            response.add(self._cors(origin))
        if not request.content.is_eof() and "Expect" in request.headers and isinstance(response, Response):
            response.force_close()  # nobody can tell whether the body still comes, or the next request
        self._latencies.observe(name, response.status, time.perf_counter() - started)
        return response

    def _http_error(self, request: Request, error: HttpError) -> Response:
        if error.status is HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
            return Response(204, b"", error.headers + PREFLIGHT)
        reply = problems.problem(error.status, error.code, error.detail, error.headers)
        if error.code in {"body_too_big", "unsupported_content_encoding"}:
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


def _refuse_encoded_body(request: Request) -> None:
    """Raise HttpError unless the body is sent as it is: a small compressed body can take seconds to unpack."""
    if request.headers["Content-Encoding"].strip().lower() != "identity":
        raise HttpError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", "send the body without compression"
        )


def _without_server(target: str) -> str:
    """The path of a target that names the server too, as one for a proxy does (RFC 9112, 3.2.2)."""
    scheme, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if scheme.lower() in {"http", "https"} else target
