"""FastConnection: the fast path, which handles requests as they are received.

For every request aiohttp wakes a task and creates another, a request and a writer. Here, a complete request on an idle
connection is handled at once. Its handler starts as an eager task and needs the event loop only when it has to wait.
Pipelined requests, bodies in several parts, upgrades and malformed HTTP take the slow path, through aiohttp.

Only one line of `bootstrap/listening.py` chooses this class; the service behaves the same with `HttpConnection`.
docs/decisions/0019-fast-path.md has the reasons and the gain.

The module uses private names, which tests/http/test_fast_path.py checks: aiohttp's `RequestHandler._waiter` (the future
that wakes its task), `_messages` (parsed requests) and `_parser`. Before Python 3.12 it also uses asyncio's
`_enter_task` and `_leave_task`, which are documented for task implementations.
"""

import asyncio
import sys
from asyncio import AbstractEventLoop, Task
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from types import coroutine
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.http import HttpVersion, RawRequestMessage, StreamWriter
from aiohttp.web_protocol import RequestHandler

from scoreboard.entrypoints.http.connection import ConnectionFactory, HttpConnection
from scoreboard.entrypoints.http.response import Response


class BufferedRequest(web.BaseRequest):
    """A request whose body has arrived.

    Attributes outside its slots are initialized on first use.
    """

    __slots__ = ("content", "headers", "message", "method", "protocol", "raw_path", "version")

    message: RawRequestMessage
    content: StreamReader
    protocol: RequestHandler
    method: str
    raw_path: str
    headers: Any
    version: HttpVersion

    def __init__(self, message: RawRequestMessage, content: StreamReader, protocol: RequestHandler) -> None:
        # Without super().__init__(), which takes longer than many handlers.
        self.message = message
        self.content = content
        self.protocol = protocol
        self.method = message.method
        self.raw_path = message.path
        self.headers = message.headers
        self.version = message.version

    @property
    def transport(self) -> asyncio.Transport | None:
        return self.protocol.transport

    def __getattr__(self, name: str) -> Any:
        if "_message" in self.__dict__:
            raise AttributeError(name)
        loop, task = asyncio.get_running_loop(), cast("Task[None]", asyncio.current_task())
        writer = StreamWriter(self.protocol, loop)
        super().__init__(self.message, self.content, self.protocol, writer, task, loop)
        return getattr(self, name)


class FastConnection(HttpConnection):
    """A connection that handles single, complete requests without aiohttp's task."""

    def __init__(self, server: ConnectionFactory) -> None:
        super().__init__(server)
        self._handler = server.handler
        self._handling: Task[None] | None = None  # while a handler waits

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():  # aiohttp is handling a request of this connection
            super().data_received(data)
            return
        self._waiter = None  # so that aiohttp only parses
        RequestHandler.data_received(self, data)
        self._waiter = waiter
        if self._messages:
            self._stop_head_timer()
            if not self._start_handling(waiter):
                waiter.set_result(None)
        elif data:
            self._start_head_timer()

    def _start_handling(self, waiter: "asyncio.Future[None]") -> bool:
        """Start to handle the parsed request, or return False if it needs the slow path."""
        message, content = self._messages[0]
        if len(self._messages) > 1 or not isinstance(message, RawRequestMessage):
            return False
        if message.upgrade or not content.is_eof() or not self.writable.is_set():
            return False
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        self._waiter = None  # until the response is written, aiohttp considers the connection busy
        self._handling = _start(self._handle(BufferedRequest(message, content, self), waiter), self.loop)
        return True

    async def _handle(self, request: BufferedRequest, waiter: "asyncio.Future[None]") -> None:
        keep_alive = False
        try:
            response = await self._handler(request)
            if self.closes_next or request.message.should_close:
                response.force_close()
            if isinstance(response, Response):
                if self.transport is not None:
                    self.transport.write(response.encoded(request.method, request.version.minor))
            else:
                await response.prepare(request)
                await response.write_eof()
            keep_alive = bool(response.keep_alive)
            self.idle_since = self.loop.time()
        except ConnectionError:
            pass  # the client disconnected
        finally:
            self._waiter, self._handling = waiter, None
            if not keep_alive or self.transport is None:
                self.force_close()
            elif self._messages and not waiter.done():
                waiter.set_result(None)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp declares it
        """Wait for the fast path's handler, as aiohttp waits for the slow path's."""
        if self._handling is not None:
            await asyncio.wait((self._handling,), timeout=timeout)
        if self._handling is not None:
            self._handling.cancel()
        await super().shutdown(timeout)


if sys.version_info >= (3, 12):

    def _start(handling: Coroutine[Any, Any, None], loop: AbstractEventLoop) -> Task[None] | None:
        """Run up to the first wait; return the task that continues, or None at the end."""
        task = Task(handling, loop=loop, eager_start=True)
        return None if task.done() else task

else:
    from asyncio.tasks import _enter_task, _leave_task

    class _TaskProxy:
        """The current task up to the first wait; later a proxy of the task that continues.

        `asyncio.timeout` remembers the current task, and cancels it later.
        """

        task: Task[None] | None = None

        def cancelling(self) -> int:
            return 0 if self.task is None else self.task.cancelling()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.task, name)

    def _start(handling: Coroutine[Any, Any, None], loop: AbstractEventLoop) -> Task[None] | None:
        """Run up to the first wait; return the task that continues, or None at the end."""
        context, proxy = copy_context(), _TaskProxy()
        current = cast("Task[None]", proxy)
        _enter_task(loop, current)
        try:
            awaited = context.run(handling.send, None)
        except StopIteration:
            return None
        finally:
            _leave_task(loop, current)
        proxy.task = loop.create_task(_continue(handling, awaited), context=context)
        return proxy.task

    @coroutine
    def _continue(handling: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
        """Continue a coroutine that waits for `awaited`."""
        try:
            while True:
                try:
                    value = yield awaited
                except BaseException as error:
                    awaited = handling.throw(error)
                else:
                    awaited = handling.send(value)
        except StopIteration:
            pass
