"""Container: the objects that the parts of a process share, on open backends."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from scoreboard.adapters.jose.tokens import JwtAuthenticator, JwtIssuer
from scoreboard.adapters.memory.leader_lock import MemoryLeaderLock
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.application.ports.backend import DatabaseBackend, QueueBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.application.ports.rate_limiter import RateLimiter
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.fallback_rate_limiter import FallbackRateLimiter
from scoreboard.application.upkeep.event_delivery import EventDelivery
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.bootstrap import backends
from scoreboard.bootstrap.keys import read_signing_key
from scoreboard.bootstrap.read_path import ReadPath
from scoreboard.bootstrap.settings import Settings
from scoreboard.bootstrap.timings import Timings
from scoreboard.bootstrap.write_path import WritePath


class Container:
    """Objects that the parts share.

    `warmed` is set once the rankings of the open seasons are loaded.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        database: DatabaseBackend,
        ranking: RankingBackend,
        queue: QueueBackend | None,
        events: EventDelivery,
        timings: Timings,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.timings = timings
        self.database = database
        self.directory = database.directory
        self.ledger = database.ledger
        self.leader_lock = database.leader_lock or MemoryLeaderLock()
        self.ranking_backend = ranking
        self.ranking = ranking.ranking
        self.queue_backend = queue
        self.queue = None if queue is None else queue.queue
        self.events = events
        self.metrics = CollectorRegistry()
        self.warmed = asyncio.Event()
        key = read_signing_key(settings)
        self.issuer = JwtIssuer(key)
        self.authenticators = (JwtAuthenticator(key),)
        self.read_path = ReadPath(
            settings=settings,
            key=key,
            clock=clock,
            directory=self.directory,
            ledger=self.ledger,
            ranking=self.ranking,
            totals=database.totals,
            limits=timings.live,
        )
        self.write_path = WritePath(
            settings=settings,
            key=key,
            clock=clock,
            directory=self.directory,
            ledger=self.ledger,
            ranking=self.ranking,
            limits=_rate_limiter(ranking),
            queue=self.queue,
            reads=self.read_path.reads,
            publisher=self.read_path.publisher,
            commit_idle=self.read_path.commit_idle,
            commit_retries=timings.commit_retries,
        )
        self.tenants = Tenants(self.directory, self.ranking, self.read_path.invalidator)
        self.rebuild = Rebuild(self.ledger, self.ranking, self.read_path.publisher, clock)


def _rate_limiter(ranking: RankingBackend) -> RateLimiter:
    """Return a rate limiter that counts in process while the shared server is down."""
    in_process = ranking.load_table is not None
    return ranking.rate_limiter if in_process else FallbackRateLimiter(ranking.rate_limiter, MemoryRateLimiter())


async def open_container(
    settings: Settings, clock: Clock, stack: AsyncExitStack, consumers: Sequence[EventConsumer], timings: Timings
) -> Container:
    """Open the backends that the settings name. Raises SettingsError and NotUsable."""
    options = backends.options_of(settings, events=bool(consumers), patience=timings.patience)
    backends.check_backends(options)
    database = await backends.open_database(options, clock, stack)
    queue = await backends.open_queue(options, clock, stack)
    ranking = await backends.open_ranking(options, database, clock, stack)
    events = EventDelivery(database.outbox, consumers, timings.events)
    await events.start()
    return Container(settings, clock, database, ranking, queue, events, timings)
