"""Connection: aiohttp's HTTP connection with admission, time limits and rendered errors.

Of the names that aiohttp keeps private this module uses one, `RequestHandler._waiter`: the future on which a connection
waits for its next request.
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

log = structlog.get_logger(__name__)

HEAD_TIMEOUT_S = 20.0  # for the head of a request to be complete, once a part of it is there or nothing ever was
KEEP_ALIVE_S = 75.0
LINGER_S = 0.2  # for what is on its way when the server is told to stop
LINE_BYTES = 8_190
NEVER_S = 1e9

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpConnection(RequestHandler):
    """Reject malformed HTTP with a rendered error, and close idle or trickling connections."""

    def __init__(self, server: web.Server, admission: ConnectionLimiter, render_error: RenderError) -> None:
        self.loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=self.loop,
            access_log=None,  # type: ignore[arg-type]  # no access log
            keepalive_timeout=NEVER_S,  # idle connections are closed by `_close_if_idle`
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            auto_decompress=False,  # work stays in proportion to the bytes received
        )
        self._admission = admission
        self._render_error = render_error
        self._head_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0  # when the last answer was made, by the clock of the event loop
        self.ending = False
        self.write_listener: WriteListener | None = None
        self.writable = asyncio.Event()  # cleared while the client does not read
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._admission.enter(self):
            self._expect_head()
            self._idle_timer = self.loop.call_later(KEEP_ALIVE_S, self._close_if_idle)
        else:
            self._turn_away()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._admission.leave(self)
        self._head_arrived()
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
            self._head_arrived()
        elif data:
            self._expect_head()

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
        self.ending = True
        super().close()

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done()

    async def until_writable(self) -> None:
        """Wait until earlier answers were read. Raise ConnectionError, and close, if that takes too long."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self.writable.wait()
        except TimeoutError:
            self.force_close()
        if self.transport is None:
            raise ConnectionResetError("the client does not read")

    def end_soon(self) -> None:
        """Make the next answer the last, and let it say so."""
        self.ending = True

    def _turn_away(self) -> None:
        reply = self._render_error(
            codes.TOO_MANY_CONNECTIONS.error("too many connections; come back later", retry_after_s=1)
        )
        reply.force_close()
        if self.transport is not None:
            self.transport.write(reply.encoded("GET", 1))
        self.force_close()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.force_close)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_if_idle(self) -> None:
        left_s = self.idle_since + KEEP_ALIVE_S - self.loop.time() if self.idle else KEEP_ALIVE_S
        if left_s > 0:
            self._idle_timer = self.loop.call_later(left_s, self._close_if_idle)
        else:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if not isinstance(exc, ConnectionError):  # the client left before its body was complete
                log.error("request_failed", path=request.path, exc_info=exc)
            failure = INTERNAL_ERROR.error("the server failed; it was logged")
        else:
            failure = INVALID_REQUEST.error("this is not a well-formed HTTP request")
        reply = self._render_error(failure)
        reply.force_close()
        return reply

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log nothing for a body that is not what its head says: the client was sent a refusal."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class Connections(web.Server):
    """The factory of connections, all of one `kind`."""

    def __init__(
        self,
        handler: Handler,
        admission: ConnectionLimiter,
        render_error: RenderError,
        kind: type[HttpConnection] = HttpConnection,
    ) -> None:
        super().__init__(self._handle)
        self.handler = handler
        self._admission = admission
        self._render_error = render_error
        self._kind = kind

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, HttpConnection) and not connection.writable.is_set():
            await connection.until_writable()  # so that a client that does not read cannot fill the memory
        response = await self.handler(request)
        if isinstance(connection, HttpConnection):
            connection.idle_since = connection.loop.time()
            if connection.ending:
                response.force_close()
        return response

    async def drain(self) -> None:
        """Answer what was on its way when the server was told to stop, and tell each client that its connection ends.

        Call it when no new connection is accepted any more."""
        for connection in self.connections:
            if isinstance(connection, HttpConnection):
                connection.end_soon()
        await asyncio.sleep(LINGER_S)

    def __call__(self) -> RequestHandler:
        return self._kind(self, self._admission, self._render_error)
