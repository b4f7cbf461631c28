"""The fast path: its private names exist, and handlers behave as on the slow path."""

import asyncio
import sys
from asyncio import tasks
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from prometheus_client import CollectorRegistry

import scoreboard
from harness.waiting import BOUND_S, eventually
from harness.wire import wire
from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.connection import ConnectionFactory, HttpConnection
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.timeouts import HttpTimeouts

GET = b"GET /a%20b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Served:
    def __init__(self, connections: ConnectionFactory, port: int) -> None:
        self.connections = connections
        self.port = port
        self.slow = 0  # requests on the slow path


@asynccontextmanager
async def serving(
    handler: Handler,
    kind: type[HttpConnection] = FastConnection,
    stop_s: float = BOUND_S,
    timeouts: HttpTimeouts = HttpTimeouts(),
) -> AsyncIterator[Served]:
    limiter = ConnectionLimiter(100, lambda: 0, CollectorRegistry())
    connections = ConnectionFactory(handler, limiter, render_error, kind, timeouts)
    runner = web.ServerRunner(connections, handle_signals=False, shutdown_timeout=stop_s)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served = Served(connections, int(runner.addresses[0][1]))
    slow_path = connections.request_handler

    async def counting(request: web.BaseRequest) -> web.StreamResponse:
        served.slow += 1
        return await slow_path(request)

    connections.request_handler = counting
    try:
        yield served
    finally:
        await runner.cleanup()


async def get_connections(served: Served) -> list[HttpConnection]:
    await eventually(lambda: served.connections.connections, "the connection is open")
    return [cast("HttpConnection", connection) for connection in served.connections.connections]


async def fetch(served: Served, request: bytes = GET) -> bytes:
    async with wire(served.port) as raw:
        await raw.send(request)
        return (await raw.answer()).raw


async def test_the_private_names_exist() -> None:
    """Fail if aiohttp or Python changed; see fast_path.py, or use HttpConnection."""
    handler = RequestHandler(web.Server(respond_at_once), loop=asyncio.get_running_loop())
    assert handler._waiter is None
    assert len(handler._messages) == 0
    assert handler._parser is not None
    assert callable(handler._parser.message_consumed)
    if sys.version_info < (3, 12):
        assert callable(tasks._enter_task)
        assert callable(tasks._leave_task)


def test_only_one_module_depends_on_the_fast_path() -> None:
    package = Path(scoreboard.__file__).parent
    found = {path.relative_to(package) for path in package.rglob("*.py") if "import FastConnection" in path.read_text()}
    assert found == {Path("bootstrap/listening.py")}


async def respond_at_once(request: web.BaseRequest) -> web.StreamResponse:
    return Response(200, b"done")


async def test_complete_requests_take_the_fast_path() -> None:
    async with serving(respond_at_once) as served, wire(served.port) as raw:
        for sent in (GET, POST):
            await raw.send(sent)
            assert (await raw.answer()).raw == b"done"
        assert served.slow == 0
        await raw.send(GET + GET)
        assert [(await raw.answer()).raw for _ in range(2)] == [b"done", b"done"]
        assert served.slow == 2


@pytest.mark.parametrize("kind", [FastConnection, HttpConnection])
class TestHandler:
    """A handler on either kind of connection."""

    async def test_a_handler_runs_in_a_task_with_timeouts(self, kind: type[HttpConnection]) -> None:
        async def handler(_: web.BaseRequest) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            before = task.cancelling()
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(BOUND_S)
            except TimeoutError:
                return Response(200, b"%d %d" % (before, task.cancelling()))
            raise AssertionError

        async with serving(handler, kind) as served:
            assert await fetch(served) == b"0 0"

    async def test_a_failing_task_group_cancels_its_handler(self, kind: type[HttpConnection]) -> None:
        async def fail() -> None:
            await asyncio.sleep(0)
            raise ValueError

        async def handler(_: web.BaseRequest) -> web.StreamResponse:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail())
                    await asyncio.sleep(BOUND_S)
            except* ValueError:
                pass
            return Response(200, b"failed")

        async with serving(handler, kind) as served:
            assert await fetch(served) == b"failed"

    async def test_a_handler_has_its_own_context_variables(self, kind: type[HttpConnection]) -> None:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            before = WHO.get()
            token = WHO.set("somebody")
            if request.method == "POST":
                await asyncio.sleep(0)
                WHO.reset(token)
            return Response(200, f"{before} {WHO.get()}".encode())

        async with serving(handler, kind) as served, wire(served.port) as raw:
            for sent, expected in ((GET, b"nobody somebody"), (POST, b"nobody nobody"), (GET, b"nobody somebody")):
                await raw.send(sent)
                assert (await raw.answer()).raw == expected

    async def test_a_request_has_the_attributes_of_aiohttp(self, kind: type[HttpConnection]) -> None:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            assert not hasattr(request, "no_such_attribute")
            assert request.remote == "127.0.0.1"
            assert request.path == "/a b"
            assert request.query["x"] == "1"
            assert request.keep_alive
            assert request.transport is request.protocol.transport is not None
            return Response(200, f"{request.method} {request.raw_path} {request.host} {request.version}".encode())

        async with serving(handler, kind) as served:
            assert await fetch(served) == b"GET /a%20b?x=1 x HttpVersion(major=1, minor=1)"

    async def test_a_handler_may_write_its_response(self, kind: type[HttpConnection]) -> None:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "4"})
            await response.prepare(request)
            await response.write(b"do")
            await asyncio.sleep(0)
            await response.write(b"ne")
            return response

        async with serving(handler, kind) as served, wire(served.port) as raw:
            for _ in range(2):
                await raw.send(GET)
                assert (await raw.answer()).raw == b"done"

    async def test_a_handler_waits_for_a_client_that_does_not_read(self, kind: type[HttpConnection]) -> None:
        handled = 0

        async def handler(_: web.BaseRequest) -> web.StreamResponse:
            nonlocal handled
            handled += 1
            return Response(200, bytes(1_000_000))

        async with serving(handler, kind) as served, wire(served.port) as raw:
            (connection,) = await get_connections(served)
            for pipelined in (1, 100):
                await raw.send(GET * pipelined)
            await eventually(lambda: not connection.writable.is_set(), "the connection is full")
            await asyncio.sleep(0.1)
            assert handled < 50  # the kernel's buffers and one response
            for _ in range(101):
                assert len((await raw.answer()).raw) == 1_000_000
            assert handled == 101

    async def test_a_client_that_never_reads_is_disconnected(
        self, kind: type[HttpConnection], caplog: pytest.LogCaptureFixture
    ) -> None:
        async def handler(_: web.BaseRequest) -> web.StreamResponse:
            return Response(200, bytes(1_000_000))

        timeouts = HttpTimeouts(keep_alive_s=0.2)
        async with serving(handler, kind, timeouts=timeouts) as served, wire(served.port) as raw:
            (connection,) = await get_connections(served)
            await raw.send(GET * 100)
            await eventually(lambda: connection.transport is None, "the connection is closed")
        assert caplog.records == []

    async def test_a_handler_continues_when_its_client_disconnects(
        self, kind: type[HttpConnection], caplog: pytest.LogCaptureFixture
    ) -> None:
        started, proceed, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            started.set()
            await proceed.wait()
            assert request.transport is None
            ended.set()
            return Response(200)

        async with asyncio.timeout(BOUND_S), serving(handler, kind) as served:
            async with wire(served.port) as raw:
                await raw.send(GET)
                await started.wait()
                (connection,) = served.connections.connections
            await eventually(lambda: connection.transport is None, "the client disconnected")
            proceed.set()
            await ended.wait()
        assert caplog.records == []

    async def test_a_slow_handler_is_cancelled_when_the_server_stops(self, kind: type[HttpConnection]) -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(_: web.BaseRequest) -> web.StreamResponse:
            started.set()
            try:
                await asyncio.sleep(2 * BOUND_S)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            raise AssertionError

        async with asyncio.timeout(BOUND_S), AsyncExitStack() as stack:
            async with serving(handler, kind, stop_s=0.1) as served:
                raw = await stack.enter_async_context(wire(served.port))
                await raw.send(GET)
                await started.wait()
            await cancelled.wait()
