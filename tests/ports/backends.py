"""All backends of all ports, with the helpers that the suites need.

To enrol a backend, add it to the tables at the end.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aio_pika
import pytest

from harness.servers.postgres import fresh_database, open_database
from harness.servers.rabbitmq import Broker, open_queue
from harness.servers.redis import TIMEOUTS, emptied
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.jose.tokens import JwtAuthenticator, JwtIssuer
from scoreboard.adapters.memory.leader_lock import MemoryLeaderLock
from scoreboard.adapters.memory.ranking import Load, MemoryRanking
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.adapters.postgres import database as postgres
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.leader_lock import PostgresLeaderLock
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.adapters.rabbitmq.queue import RabbitQueue
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.adapters.sqlite.outbox import SqliteOutbox
from scoreboard.application.ports.authentication import Authenticator, TokenIssuer
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.leader_lock import LeaderLock
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.outbox import Outbox
from scoreboard.application.ports.queue import Queue
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.ports.rate_limiter import RateLimiter
from scoreboard.domain import codes
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import Standing, TableKey
from tests.making import ManualClock
from tests.ports.capped import capped_rankings
from tests.ports.postgres_totals import postgres_rankings

T = TypeVar("T")


class Store(Protocol):
    """A ledger, its outbox and a directory in one database, from `open` to `close`.

    A store that is opened again acts as another process. The ledger writes events if `open` gets `events`.
    """

    @property
    def ledger(self) -> Ledger: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def directory(self) -> Directory: ...

    async def open(self, folder: Path, *, events: bool = False) -> None: ...
    def outbox_of_steps(self, rows: int) -> Outbox:
        """Return the outbox as another process sees it, with this step size of `trim`."""
        ...

    async def close(self) -> None: ...
    async def settled(self) -> None:
        """Wait until the outbox shows all that is committed."""
        ...

    def answers_lost(self) -> AbstractContextManager[None]:
        """Return a context in which a transaction commits and then fails.

        It acts as if the response to the commit was lost.
        """
        ...


class SqliteStore:
    ledger: SqliteLedger
    outbox: SqliteOutbox
    directory: SqliteDirectory
    _database: Database

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def open(self, folder: Path, *, events: bool = False) -> None:
        self._database = await self._stack.enter_async_context(database.open_database(folder / "scoreboard.db"))
        self.outbox = SqliteOutbox(self._database)
        self.ledger = SqliteLedger(self._database, self.outbox if events else None)
        self.directory = SqliteDirectory(self._database)
        await self.directory.start()
        await self.ledger.start()

    async def close(self) -> None:
        await self._stack.aclose()

    def outbox_of_steps(self, rows: int) -> SqliteOutbox:
        return SqliteOutbox(self._database, rows)

    async def settled(self) -> None:
        """Return at once: a commit is visible immediately."""

    @contextmanager
    def answers_lost(self) -> Iterator[None]:
        write = self._database.write

        async def written_and_lost(work: Callable[..., T]) -> T:
            await write(work)
            raise codes.STORAGE_FAILED.error("the answer was lost")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._database, "write", written_and_lost)
            yield


class PostgresStore:
    ledger: PostgresLedger
    outbox: PostgresOutbox
    directory: PostgresDirectory
    _database: postgres.Database

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._url = ""

    async def open(self, _: Path, *, events: bool = False) -> None:
        self._url = self._url or await fresh_database()
        self._database = await self._stack.enter_async_context(open_database(self._url))
        self.outbox = PostgresOutbox(self._database)
        self.ledger = PostgresLedger(self._database, fresh_s=0, outbox=self.outbox if events else None)
        self.directory = PostgresDirectory(self._database)
        await self.directory.start()

    async def close(self) -> None:
        await self._stack.aclose()

    def outbox_of_steps(self, rows: int) -> PostgresOutbox:
        return PostgresOutbox(self._database, rows)

    async def settled(self) -> None:
        """Wait for all transactions of the server, even a vacuum of another database."""
        ((now,),) = await self._database.fetch("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")

        async def passed() -> bool:
            horizon = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8"
            ((value,),) = await self._database.fetch(horizon, now)
            return bool(value)

        await eventually(passed, "every transaction that was open has ended")

    @contextmanager
    def answers_lost(self) -> Iterator[None]:
        once = postgres.Database.run_once

        async def written_and_lost(database: postgres.Database, work: postgres.Work[T], within_s: float) -> T:
            await once(database, work, within_s)
            raise ConnectionResetError("the answer was lost")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postgres.Database, "run_once", written_and_lost)
            yield


class RankingBackend(Protocol):
    @property
    def ranking(self) -> Ranking: ...
    @property
    def tells_before(self) -> bool:
        """True if `apply` returns previous ranks. A ranking that reads the totals cannot."""
        ...

    def given(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        """Set the ledger's totals for tables that are built later."""
        ...


class Made:
    """A ranking that builds its tables from totals."""

    tells_before = True

    def __init__(self, make: Callable[[Load], Ranking]) -> None:
        self._totals: dict[TableKey, Mapping[str, Standing]] = {}
        self.ranking = make(self._load)

    def given(self, key: TableKey, _: Board, standings: Mapping[str, Standing]) -> None:
        self._totals[key] = standings

    async def _load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        yield list(self._totals.get(key, {}).items())


@asynccontextmanager
async def redis_rankings(url: str) -> AsyncIterator[RankingBackend]:
    async with connect(url, TIMEOUTS) as client:
        await client.flushdb()
        yield Made(lambda load: RedisRanking(client, load, timeouts=TIMEOUTS))


@asynccontextmanager
async def postgres_turns() -> AsyncIterator[LeaderLock]:
    async with open_database(await fresh_database()) as database:
        yield PostgresLeaderLock(database)


class LimitsBackend(Protocol):
    @property
    def limits(self) -> RateLimiter: ...

    def pass_time(self, seconds: float) -> None: ...


class MemoryLimited:
    def __init__(self) -> None:
        self._now = time.monotonic()
        self.limits = MemoryRateLimiter(lambda: self._now)

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


class RedisLimited:
    def __init__(self, client: Client) -> None:
        self._clock = ManualClock()
        self.limits = RedisRateLimiter(client, self._clock, TIMEOUTS)

    def pass_time(self, seconds: float) -> None:
        self._clock.now += round(seconds * 1e6)


@asynccontextmanager
async def redis_limited(redis_url: str) -> AsyncIterator[LimitsBackend]:
    async with connect(emptied(redis_url), TIMEOUTS) as client:
        yield RedisLimited(client)


class FeedBackend(Protocol):
    @property
    def feed(self) -> Feed: ...

    async def change(self, key: TableKey) -> None:
        """Publish a change of the top N of a table."""
        ...

    async def interrupt(self) -> None:
        """Break the connection of the feed."""
        ...


class RedisFeeds:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.feed = RedisFeed(client, TIMEOUTS)

    async def change(self, key: TableKey) -> None:
        await self._client.execute_command("PUBLISH", keys.changed(key), "")

    async def interrupt(self) -> None:
        await self._client.execute_command("CLIENT KILL", "TYPE", "PUBSUB")


@asynccontextmanager
async def redis_feeds(redis_url: str) -> AsyncIterator[FeedBackend]:
    async with connect(redis_url, TIMEOUTS) as client:
        yield RedisFeeds(client)


class TokenBackend(Protocol):
    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def issuer(self) -> TokenIssuer: ...

    def another(self) -> TokenIssuer:
        """Return an issuer with another key, whose tokens `authenticator` refuses."""
        ...

    def pass_time(self, seconds: float) -> None: ...


class JwtTokens:
    def __init__(self) -> None:
        self._clock = ManualClock()
        self.authenticator = JwtAuthenticator(b"a" * 32, self._seconds)
        self.issuer = JwtIssuer(b"a" * 32, self._seconds)

    def _seconds(self) -> float:
        return self._clock.now / 1e6

    def another(self) -> JwtIssuer:
        return JwtIssuer(b"b" * 32, self._seconds)

    def pass_time(self, seconds: float) -> None:
        self._clock.now += round(seconds * 1e6)


class QueueBackend(Protocol):
    """A queue of the test's own, on a server that may be shared."""

    async def open(self) -> Queue:
        """Open the queue as another process."""
        ...

    async def leave(self, queue: Queue) -> None:
        """End that process, with its unacknowledged messages."""
        ...

    async def unbind(self) -> None:
        """Remove the route from the exchange to the queues."""
        ...

    async def restart(self) -> None:
        """Kill the server, and start it again."""
        ...

    async def close(self) -> None: ...


class RabbitQueues:
    _numbers = count(1)

    def __init__(self, server: Broker) -> None:
        self.server = server
        self.topology = Topology(f"test-{os.getpid()}-{next(self._numbers)}", shards=2, waits_s=(0.04, 0.08))
        self._stacks: dict[Queue, AsyncExitStack] = {}
        self._restarted = False

    async def open(self) -> RabbitQueue:
        stack = AsyncExitStack()
        queue = await stack.enter_async_context(open_queue(self.server.url, self.topology))
        self._stacks[queue] = stack
        return queue

    async def leave(self, queue: Queue) -> None:
        await self._stacks.pop(queue).aclose()

    async def unbind(self) -> None:
        async with await aio_pika.connect(self.server.url) as connection, connection.channel() as channel:
            await channel.exchange_delete(self.topology.exchange)
            await channel.declare_exchange(self.topology.exchange, "direct", durable=True)

    async def restart(self) -> None:
        self.server.kill()
        self._restarted = True
        await asyncio.to_thread(self.server.start)

    async def close(self) -> None:
        for queue in list(self._stacks):
            await self.leave(queue)
        # RabbitMQ 3.10 fails if a quorum queue is deleted just after the election of its leader. The process that moves
        # dead letters fails twice, its supervisor gives up, and all such queues of the node end.
        if self._restarted:
            return
        async with await aio_pika.connect(self.server.url) as connection, connection.channel() as channel:
            for name in (self.topology.exchange, *self.topology.delays):
                await channel.exchange_delete(name)
            for name in (*dict(self.topology.work), *self.topology.delays, self.topology.dead, self.topology.takers):
                await channel.queue_delete(name)


STORES: dict[str, Callable[[], Store]] = {"sqlite": SqliteStore, "postgres": PostgresStore}
SLOW = {"postgres", "rabbitmq", "redis", "redis capped", "redis cluster", "valkey"}  # left out of `make check`
RANKINGS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[RankingBackend]]] = {
    "memory": lambda _: nullcontext(Made(lambda load: MemoryRanking(load, "epoch", load_s=BOUND_S))),
    "postgres": lambda _: postgres_rankings(),
    "redis": lambda request: redis_rankings(request.getfixturevalue("redis_url")),
    "redis capped": lambda request: capped_rankings(request.getfixturevalue("redis_url"), keep=2),
    "redis cluster": lambda request: redis_rankings(request.getfixturevalue("redis_cluster_url")),
    "valkey": lambda request: redis_rankings(request.getfixturevalue("valkey_url")),
}
LIMITS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[LimitsBackend]]] = {
    "memory": lambda _: nullcontext(MemoryLimited()),
    "redis": lambda request: redis_limited(request.getfixturevalue("redis_url")),
}
FEEDS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[FeedBackend]]] = {
    "redis": lambda request: redis_feeds(request.getfixturevalue("redis_url")),
}
TOKENS: dict[str, Callable[[], TokenBackend]] = {"jose": JwtTokens}

TURNS: dict[str, Callable[[], AbstractAsyncContextManager[LeaderLock]]] = {
    "memory": lambda: nullcontext(MemoryLeaderLock()),
    "postgres": postgres_turns,
}
QUEUES: dict[str, Callable[[Any], QueueBackend]] = {"rabbitmq": RabbitQueues}  # by the fixture that is their server

ENROLLED: dict[type, set[type]] = {
    Ledger: {SqliteLedger, PostgresLedger},
    Directory: {SqliteDirectory, PostgresDirectory},
    Ranking: {MemoryRanking, PostgresRanking, RedisRanking},
    RateLimiter: {MemoryRateLimiter, RedisRateLimiter},
    Feed: {RedisFeed},
    Authenticator: {JwtAuthenticator},
    TokenIssuer: {JwtIssuer},
    Queue: {RabbitQueue},
    LeaderLock: {MemoryLeaderLock, PostgresLeaderLock},
    Outbox: {SqliteOutbox, PostgresOutbox},
}


class Tenancy:
    """An open store with apps and boards, which can be closed and opened again."""

    def __init__(self, store: Store, folder: Path, *, events: bool = False) -> None:
        self.store = store
        self._folder = folder
        self._events = events

    @property
    def ledger(self) -> Ledger:
        return self.store.ledger

    @property
    def directory(self) -> Directory:
        return self.store.directory

    async def reopened(self) -> None:
        await self.store.close()
        await self.store.open(self._folder, events=self._events)

    async def app(self, app: str = "game", time_zone: str = "UTC") -> App:
        return await self.directory.create_app(App(0, app, app.title(), time_zone))

    async def board(self, app: App, board: str = "main", **rules: Any) -> Board:
        return await self.directory.create_board(Board(0, app, board, board.title(), **rules))
