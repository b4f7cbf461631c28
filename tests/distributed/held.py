"""Calls that are held at a breakpoint, and queries about waiting transactions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from harness.service import Running, running
from harness.waiting import BOUND_S, eventually
from scoreboard.bootstrap.mounting import Part
from tests.distributed.servers import Servers

FRONTENDS: frozenset[Part] = frozenset({"api", "live"})  # without the jobs that repair


@asynccontextmanager
async def frontends(servers: Servers, folder: Path, count: int = 2) -> AsyncIterator[list[Running]]:
    """Run this many services with `api` and `live`, which repair nothing."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(folder / str(n), parts=FRONTENDS, **servers.settings()))
            for n in range(count)
        ]


class Breakpoint:
    """A place where the first call waits until `release`."""

    def __init__(self) -> None:
        self._reached, self._released = asyncio.Event(), asyncio.Event()

    async def reached(self) -> None:
        async with asyncio.timeout(BOUND_S):
            await self._reached.wait()

    def release(self) -> None:
        self._released.set()

    async def pass_by(self) -> None:
        """Hold the first call."""
        if not self._reached.is_set():
            self._reached.set()
            async with asyncio.timeout(BOUND_S):
                await self._released.wait()


@asynccontextmanager
async def held(one: object, method: str, *, after: bool = False) -> AsyncIterator[Breakpoint]:
    """Hold the next call of a method of `one`, before or after it runs."""
    call, point = getattr(one, method), Breakpoint()

    async def holding(*args: Any, **named: Any) -> Any:
        if not after:
            await point.pass_by()
        answer = await call(*args, **named)
        if after:
            await point.pass_by()
        return answer

    setattr(one, method, holding)
    try:
        yield point
    finally:
        point.release()
        delattr(one, method)


async def rows(servers: Servers, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, fetched on a new connection."""
    connection = await asyncpg.connect(servers.database)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def entries(servers: Servers) -> int:
    """Return the number of entries in the ledger."""
    ((count,),) = await rows(servers, "SELECT count(*) FROM ledger")
    return int(count)


async def waits_for_a_lock(servers: Servers, *unless: "asyncio.Future[Any]") -> None:
    """Wait until a transaction waits for a lock, or one of `unless` is done."""
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        return any(one.done() for one in unless) or bool(await rows(servers, waiting))

    await eventually(waits, "a transaction waits for a lock")


class Relay:
    """A proxy that leads to one server, and later to another, as after a failover."""

    def __init__(self, port: int) -> None:
        self._leads_to = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def lead_to(self, port: int) -> None:
        """Change the target, and cut the open connections."""
        self._leads_to = port
        self._cut()

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._leads_to)
            self._open |= {writer, there_writer}
            await asyncio.gather(_copied(reader, there_writer), _copied(there_reader, writer))
        writer.close()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._cut()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()
