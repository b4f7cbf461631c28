"""The product on the PostgreSQL, Redis and RabbitMQ of the benchmark."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
import redis

from bench import cpu, product, wire
from bench.process import BenchError, Server, free_port
from harness.servers import postgres, rabbitmq
from harness.servers import redis as redis_server
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.maintenance import create_partitions
from scoreboard.adapters.redis import keys
from scoreboard.domain.submission import WORLD, TableKey

T = TypeVar("T")

# Settings for a server of this size. Everything else, fsync included, is PostgreSQL's default.
POSTGRES = ("shared_buffers=1GB", "max_wal_size=4GB", "checkpoint_timeout=15min")
SPREAD_S = 3_600  # loaded entries are spread over the last hour
LOAD_S = 300.0

TABLE = "INSERT INTO tables (board, season, region) SELECT number, 'all', '' FROM boards RETURNING board, number"
CREDENTIAL = "INSERT INTO credentials (app, name) SELECT number, 'loaded' FROM apps RETURNING app, number"
PLAYERS = (
    "INSERT INTO players (app, player) SELECT $1, 'player' || lpad(n::text, 10, '0') FROM generate_series(0, $2) n"
)
# A standing for each player, and its entry in the ledger. The event id has the form of `domain.event_id`.
STANDINGS = """
  WITH scored AS (
    SELECT number, player, $2::bigint + number AS at, 1 + floor(random() * 1000000)::bigint AS score
    FROM players WHERE app = $1
  ), entries AS MATERIALIZED (
    SELECT *, decode(
      lpad(to_hex(at / 1000), 12, '0') || '7' || lpad(to_hex(at % 1000), 3, '0')
      || '8' || lpad(to_hex(number), 15, '0'),
      'hex'
    ) AS event
    FROM scored
  ), entered AS (
    INSERT INTO ledger (event, accepted_at, tbl, player, value, score, credential)
    SELECT event, at, $3, number, score, score, $4 FROM entries
  )
  INSERT INTO standings (tbl, player, score, reached_at, version, event, player_id)
  SELECT $3, number, score, at, 1, event, player FROM entries
"""
ENTRIES_SINCE = "SELECT count(*) FROM ledger WHERE accepted_at > $1 AND event > $2"


class Missing(BenchError):
    """A server that is not installed on this machine."""


class Distributed(product.Deployment):
    """PostgreSQL and Redis on the load's core, one `api` on the server's core.

    Rows start other roles.
    """

    def __init__(self, command: list[str], folder: Path, stack: ExitStack, players: int) -> None:
        self.command, self.folder, self.stack, self.players = command, folder, stack, players
        folder.mkdir()
        self._number = 0
        self.patience = 60 + players / 5_000  # seconds until ranks must be exact
        with cpu.pinned(cpu.LOAD_CORE):
            self.postgres = found(lambda: stack.enter_context(postgres.postgres(*POSTGRES)))
            own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
            self.redis = found(lambda: stack.enter_context(redis_server.started(redis_server.Server(own))))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")},
            "SCOREBOARD_DATABASE_URL": self.postgres.url,
            "SCOREBOARD_RANKING_URL": self.redis.url,
            "SCOREBOARD_SERVER_UPDATES_PER_SECOND": "10000000",
        }
        product.run([*command, "migrate", "--data", str(folder)], self.environment)
        admin = product.token(command, folder, "admin", "*")
        self.token = product.token(command, folder, "server", wire.APP)
        self.server = self.role("api")
        product.make_board(self.server.port, admin)
        self.load_s = asyncio.run(self._load())
        self.warm_s = self.until_ranked()

    @cached_property
    def rabbitmq(self) -> rabbitmq.Broker:
        """The queue, which starts when a row first needs it."""
        with cpu.pinned(cpu.LOAD_CORE):
            return found(lambda: self.stack.enter_context(rabbitmq.shared()))

    @property
    def backends(self) -> dict[str, int]:
        """The first process of each server that runs, by name."""
        pids = {"PostgreSQL": self.postgres.pid, "Redis": self.redis.pid}
        return pids | ({"RabbitMQ": self.rabbitmq.pid} if "rabbitmq" in self.__dict__ else {})

    @property
    def queued(self) -> dict[str, str]:
        """The environment of roles that use the queue."""
        return {**self.environment, "SCOREBOARD_QUEUE_URL": self.rabbitmq.url}

    def role(self, name: str, environment: dict[str, str] | None = None) -> Server:
        """Start a process of a role that the run stops, and wait until it is ready."""
        self._number += 1
        port = free_port()
        command = [*self.command, name, "--data", str(self.folder), "--port", str(port)]
        log = self.folder / f"{name}-{self._number}.log"
        server = Server(command, port, log, environment or self.environment)
        self.stack.enter_context(server)
        server.wait("/health/ready", 30)
        return server

    @contextmanager
    def on_all_cores(self, *roles: Server) -> Iterator[None]:
        """Let roles and servers use every core while the context is open."""
        own = [pid for role in roles for pid in role.family()]
        servers = [pid for first in self.backends.values() for pid in cpu.family(first)]
        cpu.spread(own + servers, cpu.CORES)
        try:
            yield
        finally:
            cpu.spread([pid for role in roles for pid in role.family()], [cpu.SERVER_CORE])
            cpu.spread([pid for first in self.backends.values() for pid in cpu.family(first)], [cpu.LOAD_CORE])

    def until_ranked(self, on_read: Callable[[float, object], None] = lambda _s, _state: None) -> float:
        """Wait until Redis has the whole table and return the seconds.

        A rank is read all the time. `on_read` is called with the duration of each read and the state of its rank.
        """
        began = time.monotonic()
        path = f"{wire.PLAYERS}/{wire.player(self.players // 2)}"
        with redis.Redis.from_url(self.redis.url) as client:
            while client.hget(self._meta, "state") != b"ready":
                if time.monotonic() - began > self.patience:
                    raise BenchError("Redis does not have all ranks yet")
                sent = time.monotonic()
                status, body = wire.call(self.server.port, "GET", path)
                on_read(time.monotonic() - sent, body["rank_state"] if status == 200 else status)
                time.sleep(0.02)
        return time.monotonic() - began

    def versions(self) -> dict[str, object]:
        """Return the versions of the servers and the settings of PostgreSQL."""

        async def version() -> str:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                return str(await connection.fetchval("SHOW server_version"))
            finally:
                await connection.close()

        info = self.redis.ask("INFO", "server")
        return {
            "PostgreSQL": asyncio.run(version()),
            "Redis": info["redis_version"],
            "PostgreSQL is run with": " ".join(POSTGRES),
        }

    def empty_redis(self) -> None:
        """Remove everything from Redis."""
        with redis.Redis.from_url(self.redis.url) as client:
            client.flushall()

    def entries_since(self, instant: int) -> int:
        """Count the ledger entries accepted after an instant, in microseconds since 1970."""
        floor = (instant // 1_000).to_bytes(6, "big")

        async def count() -> int:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                return int(await connection.fetchval(ENTRIES_SINCE, instant, floor))
            finally:
                await connection.close()

        return asyncio.run(count())

    async def _load(self) -> float:
        """Give each player a score and return the seconds that it took."""
        began = time.monotonic()
        now = time.time_ns() // 1_000
        async with database.open_database(self.postgres.url) as store:
            await create_partitions(store, now, 1)
        connection = await asyncpg.connect(self.postgres.url, command_timeout=LOAD_S)
        try:
            ((board, table),) = await connection.fetch(TABLE)
            ((app, credential),) = await connection.fetch(CREDENTIAL)
            await connection.execute(PLAYERS, app, self.players - 1)
            await connection.execute(STANDINGS, app, now - SPREAD_S * 1_000_000, table, credential)
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()
        self._meta = keys.of(TableKey(board, "all", WORLD)) + ":meta"
        return time.monotonic() - began


def found(start: Callable[[], T]) -> T:
    """Start a server. Raises Missing if this machine does not have it."""
    try:
        return start()
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        raise Missing(str(error)) from None
