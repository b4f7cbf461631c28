"""Points held open in one of several services, and what the servers tell of those who wait."""

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

DOORS: frozenset[Part] = frozenset({"api", "live"})  # and nothing that mends behind them


@asynccontextmanager
async def doors(servers: Servers, folder: Path, count: int = 2) -> AsyncIterator[list[Running]]:
    """So many processes' worth of `api` and `live`, none of which repairs anything."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running(folder / str(n), parts=DOORS, **servers.settings()))
            for n in range(count)
        ]


class Point:
    """Where somebody waits, once `reached`, until `release`."""

    def __init__(self) -> None:
        self._reached, self._released = asyncio.Event(), asyncio.Event()

    async def reached(self) -> None:
        async with asyncio.timeout(BOUND_S):
            await self._reached.wait()

    def release(self) -> None:
        self._released.set()

    async def pass_by(self) -> None:
        """Only the first to come is held."""
        if not self._reached.is_set():
            self._reached.set()
            async with asyncio.timeout(BOUND_S):
                await self._released.wait()


@asynccontextmanager
async def held(one: object, method: str, *, after: bool = False) -> AsyncIterator[Point]:
    """The next call of this method of `one` is held before it begins, or after it is done, until released."""
    call, point = getattr(one, method), Point()

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
    """What PostgreSQL answers, asked by a connection of the test's own."""
    connection = await asyncpg.connect(servers.database)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


async def entries(servers: Servers) -> int:
    """How many the ledger has."""
    ((count,),) = await rows(servers, "SELECT count(*) FROM ledger")
    return int(count)


async def waits_for_a_lock(servers: Servers, *unless: "asyncio.Future[Any]") -> None:
    """Returns when a transaction waits for what another has locked, or one of `unless` is done: it did not wait."""
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        return any(one.done() for one in unless) or bool(await rows(servers, waiting))

    await eventually(waits, "a transaction waits for a lock")


class Relay:
    """An address that leads to one server, and then to another, as after a failover."""

    def __init__(self, port: int) -> None:
        self._leads_to = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def lead_to(self, port: int) -> None:
        """From now on, also for those who are connected: they have to connect again."""
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
