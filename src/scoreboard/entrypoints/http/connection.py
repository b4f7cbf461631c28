"""HttpConnection: aiohttp's connection with limit, time-outs and rendered errors.

This module uses one private name of aiohttp, `RequestHandler._waiter`: the future on which a connection waits for its
next request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from scoreboard.application.live.write_listener import WriteListener
from scoreboard.domain import codes
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.contract import RenderError
from scoreboard.entrypoints.http.errors import INTERNAL_ERROR, INVALID_REQUEST
from scoreboard.entrypoints.http.timeouts import HttpTimeouts

log = structlog.get_logger(__name__)

LINGER_S = 0.2  # for requests that are in transit when the server stops
LINE_BYTES = 8_190

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpConnection(RequestHandler):
    """A connection that rejects malformed HTTP, and ends when it is idle or too slow."""

    def __init__(self, server: "ConnectionFactory") -> None:
        self.loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=self.loop,
            access_log=None,  # type: ignore[arg-type]  # no access log
            keepalive_timeout=1e9,  # in effect none: `close_if_idle` closes idle connections
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            auto_decompress=False,  # so that the work is proportional to the bytes received
        )
        self.timeouts = server.timeouts
        self._limiter = server.limiter
        self._render_error = server.render_error
        self._head_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0  # when the last response was sent, by the clock of the event loop
        self.closes_next = False  # whether the next response is the last
        self.write_listener: WriteListener | None = None
        self.writable = asyncio.Event()  # cleared while the client does not read
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._limiter.admit(self):
            self._start_head_timer()
            self._idle_timer = self.loop.call_later(self.timeouts.keep_alive_s, self.close_if_idle)
        else:
            self._reject()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._limiter.release(self)
        self._stop_head_timer()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)
        self.writable.set()
        listener, self.write_listener = self.write_listener, None
        if listener is not None:
            listener.lost()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.idle:
            self._stop_head_timer()
        elif data:
            self._start_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.writable.clear()
        if self.write_listener is not None:
            self.write_listener.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.writable.set()
        if self.write_listener is not None:
            self.write_listener.resume()

    def close(self) -> None:
        self.closes_next = True
        super().close()

    @property
    def idle(self) -> bool:
        """Return whether the connection waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def awaits_head(self) -> bool:
        """Return whether the rest of a request's head is due."""
        return self._head_timer is not None

    async def wait_writable(self) -> None:
        """Wait until the client has read earlier responses.

        After the time-out, close the connection and raise ConnectionError.
        """
        try:
            async with asyncio.timeout(self.timeouts.keep_alive_s):
                await self.writable.wait()
        except TimeoutError:
            self.force_close()
        if self.transport is None:
            raise ConnectionResetError("the client does not read its responses")

    def _reject(self) -> None:
        response = self._render_error(
            codes.TOO_MANY_CONNECTIONS.error("the server has too many connections; retry later", retry_after_s=1)
        )
        response.force_close()
        if self.transport is not None:
            self.transport.write(response.encoded("GET", 1))
        self.force_close()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.timeouts.head_s, self.force_close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def close_if_idle(self) -> None:
        keep_alive_s = self.timeouts.keep_alive_s
        remaining_s = self.idle_since + keep_alive_s - self.loop.time() if self.idle else keep_alive_s
        if remaining_s > 0:
            self._idle_timer = self.loop.call_later(remaining_s, self.close_if_idle)
        else:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if not isinstance(exc, ConnectionError):  # the client disconnected before its body was complete
                log.error("request_failed", path=request.path, exc_info=exc)
            failure = INTERNAL_ERROR.error("the server failed unexpectedly; its log has the details")
        else:
            failure = INVALID_REQUEST.error("the request is not well-formed HTTP")
        response = self._render_error(failure)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a failure, except a body that contradicts its head, a client's error."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class ConnectionFactory(web.Server):
    """The factory of a listening socket's connections, all of one `kind`."""

    def __init__(
        self,
        handler: Handler,
        limiter: ConnectionLimiter,
        render_error: RenderError,
        kind: type[HttpConnection] = HttpConnection,
        timeouts: HttpTimeouts = HttpTimeouts(),
    ) -> None:
        super().__init__(self._handle)
        self.handler = handler
        self.limiter = limiter
        self.render_error = render_error
        self.timeouts = timeouts
        self._kind = kind

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, HttpConnection) and not connection.writable.is_set():
            await connection.wait_writable()  # so that a client that does not read cannot fill the memory
        response = await self.handler(request)
        if isinstance(connection, HttpConnection):
            connection.idle_since = connection.loop.time()
            if connection.closes_next:
                response.force_close()
        return response

    async def drain(self) -> None:
        """Answer requests in transit, each with `Connection: close`.

        Call it after the last connection was accepted.
        """
        for connection in self.connections:
            if isinstance(connection, HttpConnection):
                connection.closes_next = True
        await asyncio.sleep(LINGER_S)

    def __call__(self) -> RequestHandler:
        return self._kind(self)
