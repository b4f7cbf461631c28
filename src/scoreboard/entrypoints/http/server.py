"""Server: routing, authentication and error handling for all contracts."""

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from aiohttp import EMPTY_PAYLOAD, web
from prometheus_client import CollectorRegistry, Counter

from scoreboard.application.identity.authorization import token_missing
from scoreboard.application.live.origins import Origins
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http.connection import ConnectionFactory, HttpConnection
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.errors import BODY_TOO_BIG, INTERNAL_ERROR, UNSUPPORTED_CONTENT_ENCODING, HttpError
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.request_durations import RequestDurations
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.router import Router
from scoreboard.entrypoints.http.timeouts import HttpTimeouts

log = structlog.get_logger(__name__)


class Server:
    def __init__(
        self,
        contracts: Sequence[Contract],
        origins: Origins,
        limiter: ConnectionLimiter,
        registry: CollectorRegistry,
        timeouts: HttpTimeouts = HttpTimeouts(),
    ) -> None:
        """Create a server; the first contract renders the errors of unknown paths."""
        self._default = contracts[0]
        self.router = Router(self._default)
        for contract in contracts:
            self.mount(contract)
        self._origins = origins
        self._limiter = limiter
        self._timeouts = timeouts
        self._durations = RequestDurations()
        registry.register(self._durations)
        self._failures = Counter(
            "scoreboard_http_unhandled_total", "Requests that failed unexpectedly.", registry=registry
        )

    def mount(self, contract: Contract) -> None:
        """Add a contract. Raises ValueError if another has the same method and path."""
        self.router.add(contract)

    def connections(self, kind: type[HttpConnection] = HttpConnection) -> ConnectionFactory:
        """Return the factory of connections, for a listening socket."""
        return ConnectionFactory(self._handle, self._limiter, self._default.render_error, kind, self._timeouts)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        path, _, query_text = request.raw_path.partition("?")
        if not path.startswith("/"):
            path = _path_of_absolute_form(path)
        contract: Contract | None = None
        name = "none"
        try:
            if request.content is not EMPTY_PAYLOAD and "Content-Encoding" in request.headers:
                _refuse_encoded_body(request)
            (contract, endpoint, accepts_token, requires_token), values = self.router.match(request.method, path)
            name = endpoint.name
            principal = await contract.authenticate(request) if accepts_token else None
            if requires_token and principal is None:  # before the body is read
                raise token_missing()
            context = RequestContext(
                request, contract.media_types, values, query_text, principal, self._timeouts.body_s
            )
            response = await endpoint.handler(context)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            response = self._error_response(request, contract or self.router.owner(path), name, error)
        origin = request.headers.get("Origin")
        if (origin is not None or self._origins.any) and isinstance(response, Response):
            response.add(self._cors(origin, contract or self.router.owner(path)))
        if not request.content.is_eof() and "Expect" in request.headers and isinstance(response, Response):
            response.force_close()  # the next bytes may be the body or another request
        served_by = "none" if contract is None else contract.name
        self._durations.observe(served_by, name, response.status, time.perf_counter() - started)
        return response

    def _error_response(self, request: web.BaseRequest, contract: Contract, name: str, error: Exception) -> Response:
        if isinstance(error, ScoreboardError):
            return contract.render_error(error)
        if not isinstance(error, HttpError):
            self._failures.inc()
            log.error("operation_failed", operation=name, contract=contract.name, exc_info=error)
            error = INTERNAL_ERROR.error("the server failed unexpectedly; its log has the details")
        if error.status is HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
            return Response(204, b"", error.headers + _preflight(contract))
        response = contract.render_error(error)
        response.add(error.headers)
        if error.code in {BODY_TOO_BIG.name, UNSUPPORTED_CONTENT_ENCODING.name}:
            response.force_close()
        return response

    def _cors(self, origin: str | None, contract: Contract) -> bytes:
        """Return the headers that let pages of allowed origins read the response."""
        allowed = None if origin is None else self._origins.header(origin)
        if allowed is None:
            return b"Vary: Origin\r\n"
        exposed = ", ".join(contract.response_headers)
        lines = (
            f"Access-Control-Allow-Origin: {allowed}",
            *((f"Access-Control-Expose-Headers: {exposed}",) if exposed else ()),
            "Vary: Origin",
            "",
        )
        return "\r\n".join(lines).encode()


def _refuse_encoded_body(request: web.BaseRequest) -> None:
    """Raise HttpError for a compressed body, which may take seconds to decompress."""
    if request.headers["Content-Encoding"].strip().lower() != "identity":
        raise UNSUPPORTED_CONTENT_ENCODING.error("the body is encoded; send it uncompressed, without Content-Encoding")


def _preflight(contract: Contract) -> bytes:
    """Return the headers that let pages of allowed origins send requests."""
    lines = (
        "Access-Control-Allow-Methods: GET, POST, PATCH, DELETE",
        f"Access-Control-Allow-Headers: {', '.join(contract.request_headers)}",
        "Access-Control-Max-Age: 600",
        "",
    )
    return "\r\n".join(lines).encode()


def _path_of_absolute_form(target: str) -> str:
    """Return the path of a target in absolute form, as for a proxy (RFC 9112, 3.2.2)."""
    scheme, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if scheme.lower() in {"http", "https"} else target
