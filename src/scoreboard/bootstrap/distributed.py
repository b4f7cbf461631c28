"""PostgreSQL, Redis and perhaps RabbitMQ, for processes that share them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.adapters.postgres import counts, database, inspection, partitions, statistics
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.adapters.postgres.replica import Replica, followed
from scoreboard.adapters.postgres.turns import PostgresTurns
from scoreboard.adapters.rabbitmq import link, queue
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.adapters.redis.connection import FAILURES, Address, Client, connected
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.adapters.redis.limits import RedisLimits
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.application.ports.clock import Clock
from scoreboard.application.standings.fallback import FallbackRanking
from scoreboard.application.updates.fallback_rate_limiter import FallbackRateLimiter
from scoreboard.application.upkeep.trim import is_past
from scoreboard.bootstrap.backends import Backends, NotUsable, key_of
from scoreboard.bootstrap.settings import Settings, SettingsError, shown_url
from scoreboard.domain.errors import Unavailable

QUEUE = "scoreboard"  # what the names in RabbitMQ begin with
MONTHS_AHEAD = 3
TABLES_EVERY_S = 10.0  # a total is read from as many rows as batches with new players came in that time
PARTITIONS_EVERY_S = 6 * 3_600.0


async def opened(settings: Settings, clock: Clock, stack: AsyncExitStack, *, events: bool) -> Backends:
    """Raises NotUsable when PostgreSQL is away or has no schema: nothing is known without its directory. The others may
    come later. Raises SettingsError for wrong URLs."""
    check_urls(settings)
    await check_database(settings.database_url)
    store = await stack.enter_async_context(
        database.opened(
            settings.database_url,
            connections=settings.database_connections,
        )
    )
    client = await stack.enter_async_context(_redis(settings.ranking_url))
    taken_from = None
    if settings.queue_url:
        taken_from = await stack.enter_async_context(queue.opened(settings.queue_url, Topology(QUEUE), clock))
    replica = await _replica(settings, store, stack)
    directory, outbox = PostgresDirectory(store, replica), PostgresOutbox(store)
    ledger = PostgresLedger(store, reading=replica, outbox=outbox if events else None)
    await directory.start()
    totals, feed = PostgresRanking(store), RedisFeed(client)
    ranking = RedisRanking(
        client, ledger.standings, totals, settings.ranking_keep, lambda key, board: is_past(key, board, clock())
    )
    stack.push_async_callback(ranking.close)

    async def keep_partitions() -> None:
        while True:
            with contextlib.suppress(Unavailable):  # the default takes what has no partition; the next look makes one
                await partitions.ensure_ahead(store, clock(), MONTHS_AHEAD)
            await asyncio.sleep(PARTITIONS_EVERY_S)

    async def keep_tables() -> None:
        while True:
            with contextlib.suppress(Unavailable):  # totals are exact meanwhile, and slower
                await counts.fold(store)
                await statistics.analyze_grown(store)
            await asyncio.sleep(TABLES_EVERY_S)

    return Backends(
        directory=directory,
        ledger=ledger,
        outbox=outbox,
        ranking=ranking,
        reading=FallbackRanking(ranking, totals),
        limits=FallbackRateLimiter(RedisLimits(client), MemoryLimits()),
        turns=PostgresTurns(store),
        key=key_of(settings),
        feed=feed,
        queue=taken_from,
        totals=PostgresRanking(replica or store),
        cache=ranking,
        replica_lag_s=None if replica is None else lambda: replica.lag_s,
        probes={
            "postgresql": lambda: store.fetch("SELECT 1"),
            "redis": client.ping,
            **({} if replica is None else {"replica": replica.look}),
        },
        upkeep=[directory.run, feed.run],
        jobs={"partitions": keep_partitions, "tables": keep_tables},
    )


@asynccontextmanager
async def _redis(url: str) -> AsyncIterator[Client]:
    """A client. That its connections could not be closed as they should is nothing that a stop fails for."""
    leaving = connected(url)
    client = await leaving.__aenter__()
    try:
        yield client
    finally:
        with contextlib.suppress(*FAILURES):
            await leaving.__aexit__(None, None, None)


async def _replica(settings: Settings, store: database.Database, stack: AsyncExitStack) -> Replica | None:
    if not settings.database_replica_url:
        return None
    return await stack.enter_async_context(followed(store, settings.database_replica_url))


def check_urls(settings: Settings) -> None:
    """Raises SettingsError, in words that have no secret in them."""
    checks: tuple[tuple[str, str, Callable[[str], object]], ...] = (
        ("database_url", settings.database_url, database.check_url),
        ("database_replica_url", settings.database_replica_url, database.check_url),
        ("ranking_url", settings.ranking_url, Address.of),
        ("queue_url", settings.queue_url, link.check_url),
    )
    for name, url, check in checks:
        try:
            if url:
                check(url)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None


async def check_database(url: str) -> None:
    """Raises NotUsable when it is away, or its schema is missing or older than this version."""
    try:
        found = await inspection.inspect(url)
    except Unavailable as error:
        raise away(url, error) from error
    if found.schema < found.newest:
        has = f"has schema {found.schema} of {found.newest}" if found.schema else "has no schema yet"
        raise NotUsable(f"the database at {shown_url(url)} {has}; run: scoreboard migrate")


async def migrate(settings: Settings) -> list[str]:
    """The names of the migrations applied. Raises NotUsable and SettingsError."""
    check_urls(settings)
    try:
        return await database.migrate(settings.database_url)
    except Unavailable as error:
        raise away(settings.database_url, error) from error


def away(url: str, error: Unavailable) -> NotUsable:
    remedy = inspection.remedy(error.__cause__, url, "SCOREBOARD_DATABASE_URL")
    return NotUsable(f"PostgreSQL at {shown_url(url)} cannot be used: {database.why(error)}; {remedy}")
