"""Container: the pieces that the parts of a process share, on open backends."""

import asyncio
import secrets
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from scoreboard.adapters.jose.access import JwtAccess
from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.adapters.memory.turns import MemoryTurns
from scoreboard.application.live.directory_invalidator import DirectoryInvalidator
from scoreboard.application.live.hub import Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.live.precedence import Precedence
from scoreboard.application.live.publisher import Publish
from scoreboard.application.ports.backend import DatabaseBackend, QueueBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.limits import Limits
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.fallback import FallbackRanking
from scoreboard.application.standings.names import Names
from scoreboard.application.standings.reads import Reads
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.fallback_rate_limiter import FallbackRateLimiter
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.bootstrap import registry
from scoreboard.bootstrap.backends import open_database, open_queue, open_ranking
from scoreboard.bootstrap.keys import read_signing_key
from scoreboard.bootstrap.settings import Settings
from scoreboard.bootstrap.write_path import WritePath
from scoreboard.entrypoints.sockets.live import Live, LiveLimits


class Container:
    """`warmed` is set once the rankings of the open seasons are loaded; `metrics` is what `/metrics` reports."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        database: DatabaseBackend,
        ranking: RankingBackend,
        queue: QueueBackend | None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.database = database
        self.directory = database.directory
        self.ledger = database.ledger
        self.turns = database.turns or MemoryTurns()
        self.ranking_backend = ranking
        self.ranking = ranking.ranking
        self.queue_backend = queue
        self.queue = None if queue is None else queue.queue
        self.metrics = CollectorRegistry()
        self.warmed = asyncio.Event()
        self.origins = Origins(settings.allowed_origins)
        key = read_signing_key(settings)
        self.access = JwtAccess(key)
        self._build_reads(Cursors(key))
        self._build_live()
        self.writes = WritePath(
            settings=settings,
            key=key,
            clock=clock,
            directory=self.directory,
            ledger=self.ledger,
            ranking=self.ranking,
            limits=self._limits(),
            queue=self.queue,
            reads=self.reads,
            publish=self.publish,
            precedence=self.precedence,
        )
        self.tenants = Tenants(self.directory, self.ranking, self.invalidator)
        self.rebuild = Rebuild(self.ledger, self.ranking, self.publish, clock)

    def _build_reads(self, cursors: Cursors) -> None:
        """Read from the ranking, or from the totals while a ranking that processes share cannot answer."""
        totals = self.database.totals
        reading = self.ranking if totals is None else FallbackRanking(self.ranking, totals)
        self.names = Names(self.directory)
        self.reads = Reads(self.directory, self.ledger, reading, self.names, cursors, self.clock)

    def _build_live(self) -> None:
        self.precedence = Precedence()
        self.hub = Hub(secrets.token_hex(6), self.precedence)
        self.publish = Publish(self.hub, self.reads, self.clock)
        self.invalidator = DirectoryInvalidator(self.names, self.publish)
        self.directory.listen(self.invalidator)
        limits = LiveLimits(self.settings.live_connections)
        self.live = Live(self.hub, self.reads, self.directory, self.access, self.origins, limits)

    def _limits(self) -> Limits:
        """Count in this process while limits that processes share cannot be reached."""
        limits = self.ranking_backend.limits
        return limits if self.ranking_backend.load_table else FallbackRateLimiter(limits, MemoryLimits())


async def open_container(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Container:
    """Open the backends that the settings name. Raises SettingsError and NotUsable."""
    options = registry.options_of(settings)
    registry.check_backends(options)
    database = await open_database(options, clock, stack)
    queue = await open_queue(options, clock, stack)
    ranking = await open_ranking(options, database, clock, stack)
    return Container(settings, clock, database, ranking, queue)
