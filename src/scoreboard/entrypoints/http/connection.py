"""Connection: aiohttp's, with a short way for a request that comes whole while nothing else is under way.

aiohttp makes a task, a request and a writer for every request and takes three turns of the loop for it. A request that
is all there is begun at once instead, in the callback that received it; most are answered before that returns, and one
that has to wait (for a commit) goes on as a task from there. Everything else (bodies that come in parts, pipelining,
upgrades, streams, what is not HTTP) goes the ordinary way. This leans on some names that aiohttp keeps to itself:
its version is pinned, and tests/http/test_protocol.py holds both ways to the same behaviour.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from http import HTTPStatus
from types import coroutine
from typing import Any, TypeAlias

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from scoreboard.application.live.flow import Flow
from scoreboard.domain.errors import Unavailable
from scoreboard.entrypoints.http import problems
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.router import Request

log = structlog.get_logger(__name__)

HEAD_TIMEOUT_S = 20.0  # for the head of a request to be complete, once a part of it is there or nothing ever was
KEEP_ALIVE_S = 75.0
LINGER_S = 0.2  # for what is on its way when the server is told to stop
LINE_BYTES = 8_190

Answer: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response | None]]
"""The reply to a request; None when it can only be answered the ordinary way (nothing has happened then)."""


class _Whole:
    """A request whose body is there to the end."""

    __slots__ = ("content", "headers", "method", "raw_path", "transport")

    def __init__(self, message: RawRequestMessage, content: StreamReader, transport: asyncio.Transport | None) -> None:
        self.method = message.method
        self.raw_path = message.path
        self.headers = message.headers
        self.content = content
        self.transport = transport


class Connection(RequestHandler):
    """With problem details for what is not HTTP, and an end for who says nothing, or says it for ever."""

    def __init__(self, answer: Answer, admission: ConnectionLimiter, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._answer = answer
        self._admission = admission
        self._ending = False
        self._awaited = -1  # after how many requests a head is due
        self.flow: Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._admission.enter(self):
            self._expect_head()
        else:
            self._turn_away()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._admission.leave(self)
        super().connection_lost(exc)
        flow, self.flow = self.flow, None
        if flow is not None:
            flow.lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.flow is not None:
            self.flow.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.flow is not None:
            self.flow.resume()

    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        return self._waiter is not None and not self._waiter.done() and not self._request_in_progress

    def end_soon(self) -> None:
        """The next answer is the last, and says so."""
        self._ending = True

    def _turn_away(self) -> None:
        reply = problems.of_error(
            Unavailable("too_many_connections", "too many connections; come back later", retry_after_s=1)
        )
        reply.force_close()
        if self.transport is not None:
            self.transport.write(reply.encoded("GET", 1))
        self.force_close()

    def _expect_head(self) -> None:
        if self._awaited != self._request_count:
            self._awaited = self._request_count
            self._loop.call_later(HEAD_TIMEOUT_S, self._end_if_still_due, self._request_count)

    def _end_if_still_due(self, requests: int) -> None:
        if self._request_count != requests or self.transport is None:
            return
        if self._request_in_progress:  # a part of the next has come: the rest is due after the answer to this one
            self._loop.call_later(HEAD_TIMEOUT_S, self._end_if_still_due, requests)
        else:
            self.force_close()

    def _process_keepalive(self) -> None:
        """As aiohttp's, to which one that is answering the short way waits for a request."""
        if self._request_in_progress:
            self._keepalive_handle = self._loop.call_later(KEEP_ALIVE_S, self._process_keepalive)
        else:
            super()._process_keepalive()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if not isinstance(exc, ConnectionError):  # the client left before its body was complete
                log.error("request_failed", path=request.path, exc_info=exc)
            reply = problems.problem(HTTPStatus(status), "internal_error", "the server failed; it was logged")
        else:
            reply = problems.problem(HTTPStatus(status), "invalid_request", "this is not a well-formed HTTP request")
        reply.force_close()
        return reply

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Not for a body that is not what its head says: that is the client's fault, who was told."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    # The short way

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():  # not between two requests, or no more HTTP
            super().data_received(data)
            return
        self._waiter = None  # so that aiohttp only parses
        super().data_received(data)
        self._waiter = waiter
        if not self._messages:
            if data:  # it is asked for more, and has none, while a body is read
                self._expect_head()
        elif not self._request_in_progress and not self._begun():
            self._go_the_ordinary_way()

    def _go_the_ordinary_way(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _begun(self) -> bool:
        """Whether what arrived could be begun here."""
        message, content = self._messages[0]
        if len(self._messages) > 1 or not isinstance(message, RawRequestMessage) or self._upgraded:
            return False
        if not content.is_eof():
            return False
        self._messages.popleft()
        self._request_in_progress = True  # reading the body may call data_received again
        answering = self._answer(_Whole(message, content, self.transport))
        try:
            awaited = answering.send(None)
        except StopIteration as done:
            self._request_in_progress = False
            if done.value is None:
                self._messages.appendleft((message, content))
                return False
            self._finish(message, done.value)
        except ConnectionError:
            self._request_in_progress = False
            self.force_close()
        else:
            self._task = self._loop.create_task(self._go_on(message, answering, awaited))
        if self._parser is not None:
            self._parser.message_consumed()
        return True

    async def _go_on(
        self, message: RawRequestMessage, answering: Coroutine[Any, Any, Response | None], awaited: Any
    ) -> None:
        try:
            reply = await _rest_of(answering, awaited)
            if reply is not None:
                self._finish(message, reply)
        except ConnectionError:
            self.force_close()
        finally:
            self._request_in_progress = False
            if self._handler_waiter is not None:  # the server is going away and waits for us
                self._handler_waiter.set_result(None)
        if self._messages:
            self._go_the_ordinary_way()

    def _finish(self, message: RawRequestMessage, reply: Response) -> None:
        if self.transport is None:
            return  # the client went away
        if message.should_close or self._ending or self._close:
            reply.force_close()
        self.transport.write(reply.encoded(message.method, message.version.minor))
        if reply.keep_alive:
            self._keepalive = True
            self._next_keepalive_close_time = self._loop.time() + KEEP_ALIVE_S
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        else:
            self.force_close()


@coroutine
def _rest_of(begun: Coroutine[Any, Any, Response | None], awaited: object) -> Generator[Any, Any, Response | None]:
    """Go on with a coroutine that was begun outside of a task and waits for `awaited`: an eager task by hand, as
    asyncio has them from Python 3.12 on."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:
                awaited = begun.throw(error)
            else:
                awaited = begun.send(value)
    except StopIteration as done:
        reply: Response | None = done.value
        return reply


class Connections(web.Server):
    """The factory of connections."""

    def __init__(
        self,
        answer: Answer,
        ordinary: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        admission: ConnectionLimiter,
    ) -> None:
        super().__init__(
            ordinary,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            auto_decompress=False,  # work stays in proportion to the bytes received
        )
        self._answer = answer
        self._admission = admission

    async def drain(self) -> None:
        """Read on for a moment: what was on its way when the server was told to stop is answered, and each client told
        that its connection ends. To be awaited when no new connection is taken any more."""
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.end_soon()
        await asyncio.sleep(LINGER_S)

    def __call__(self) -> RequestHandler:
        return Connection(self._answer, self._admission, self, loop=self._loop, **self._kwargs)
