"""FastConnection: answer a request that is complete in the callback that received it.

For every request aiohttp wakes a task, makes a second one, a request and a writer. A request that is all there while
nothing else is under way is handled at once instead: the handler starts as an eager task and needs the event loop only
when it has to wait. Pipelined requests, bodies that come in parts, upgrades and malformed HTTP take aiohttp's own way.

Nothing depends on this module but the line of `bootstrap/listening.py` that chooses it: the service does the same with
`Connection`. docs/decisions/0019-fast-path.md says what it gains.

It uses these private names, which tests/http/test_fast_path.py looks for:
`RequestHandler._waiter` (the future that wakes aiohttp's task), `_messages` (parsed requests) and `_parser`; before
Python 3.12 also asyncio's `_enter_task` and `_leave_task`, which are documented for those who make their own tasks.
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

from scoreboard.entrypoints.http.connection import Connections, HttpConnection
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.contract import RenderError
from scoreboard.entrypoints.http.response import Response


class BufferedRequest(web.BaseRequest):
    """A request whose body has arrived. What is not in its slots aiohttp makes when it is first asked for."""

    __slots__ = ("content", "headers", "message", "method", "protocol", "raw_path", "version")

    message: RawRequestMessage
    content: StreamReader
    protocol: RequestHandler
    method: str
    raw_path: str
    headers: Any
    version: HttpVersion

    def __init__(self, message: RawRequestMessage, content: StreamReader, protocol: RequestHandler) -> None:
        # Not super().__init__(): that takes longer than many handlers.
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
    """A connection that begins a request itself when it is complete and the only one."""

    def __init__(self, server: Connections, admission: ConnectionLimiter, render_error: RenderError) -> None:
        super().__init__(server, admission, render_error)
        self._handler = server.handler
        self._answering: Task[None] | None = None  # while a handler waits

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():  # aiohttp is busy with this connection
            super().data_received(data)
            return
        self._waiter = None  # so that aiohttp only parses
        RequestHandler.data_received(self, data)
        self._waiter = waiter
        if self._messages:
            self._head_arrived()
            if not self._begin(waiter):
                waiter.set_result(None)
        elif data:
            self._expect_head()

    def _begin(self, waiter: "asyncio.Future[None]") -> bool:
        """Begin to answer what arrived; return False, and do nothing, when that is for aiohttp."""
        message, content = self._messages[0]
        if len(self._messages) > 1 or not isinstance(message, RawRequestMessage):
            return False
        if message.upgrade or not content.is_eof() or not self.writable.is_set():
            return False
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        self._waiter = None  # while it answers, aiohttp takes the connection for busy
        self._answering = _start(self._answer(BufferedRequest(message, content, self), waiter), self.loop)
        return True

    async def _answer(self, request: BufferedRequest, waiter: "asyncio.Future[None]") -> None:
        stays = False
        try:
            response = await self._handler(request)
            if self.ending or request.message.should_close:
                response.force_close()
            if isinstance(response, Response):
                if self.transport is not None:
                    self.transport.write(response.encoded(request.method, request.version.minor))
            else:
                await response.prepare(request)
                await response.write_eof()
            stays = bool(response.keep_alive)
            self.idle_since = self.loop.time()
        except ConnectionError:
            pass  # the client left
        finally:
            self._waiter, self._answering = waiter, None
            if not stays or self.transport is None:
                self.force_close()
            elif self._messages and not waiter.done():
                waiter.set_result(None)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - as aiohttp declares it
        """Wait for an answer under way, as aiohttp waits for those that it began."""
        if self._answering is not None:
            await asyncio.wait((self._answering,), timeout=timeout)
        if self._answering is not None:
            self._answering.cancel()
        await super().shutdown(timeout)


if sys.version_info >= (3, 12):

    def _start(answering: Coroutine[Any, Any, None], loop: AbstractEventLoop) -> Task[None] | None:
        """Run up to the first wait; return the task that goes on from there, or None when the end was reached."""
        task = Task(answering, loop=loop, eager_start=True)
        return None if task.done() else task

else:
    from asyncio.tasks import _enter_task, _leave_task

    class _StandIn:
        """The current task up to the first wait, when there is none yet; later the same as the real one.

        `asyncio.timeout` is given to it and cancels it: that is for the task that goes on.
        """

        task: Task[None] | None = None

        def cancelling(self) -> int:
            return 0 if self.task is None else self.task.cancelling()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.task, name)

    def _start(answering: Coroutine[Any, Any, None], loop: AbstractEventLoop) -> Task[None] | None:
        """Run up to the first wait; return the task that goes on from there, or None when the end was reached."""
        context, stand_in = copy_context(), _StandIn()
        current = cast("Task[None]", stand_in)
        _enter_task(loop, current)
        try:
            awaited = context.run(answering.send, None)
        except StopIteration:
            return None
        finally:
            _leave_task(loop, current)
        stand_in.task = loop.create_task(_rest_of(answering, awaited), context=context)
        return stand_in.task

    @coroutine
    def _rest_of(begun: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
        """Go on with a coroutine that waits for `awaited`."""
        try:
            while True:
                try:
                    value = yield awaited
                except BaseException as error:
                    awaited = begun.throw(error)
                else:
                    awaited = begun.send(value)
        except StopIteration:
            pass
