"""ReadPath: reads of boards, on request or live."""

import asyncio
import secrets
from dataclasses import replace

from scoreboard.application.live.directory_invalidator import DirectoryInvalidator
from scoreboard.application.live.hub import Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.fallback import FallbackRanking
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.standings.reads import Reads
from scoreboard.bootstrap.settings import Settings
from scoreboard.entrypoints.sockets.connections import LiveConnections, LiveLimits


class ReadPath:
    """Reads of boards; `publisher` sends each changed top N to live connections."""

    def __init__(
        self,
        *,
        settings: Settings,
        key: bytes,
        clock: Clock,
        directory: Directory,
        ledger: Ledger,
        ranking: Ranking,
        totals: Ranking | None,
        limits: LiveLimits,
    ) -> None:
        # A shared ranking may be down: its reads fall back to the totals.
        self.ranking = ranking if totals is None else FallbackRanking(ranking, totals)
        names = PlayerCache(directory)
        self.reads = Reads(directory, ledger, self.ranking, names, Cursors(key), clock)
        self.commit_idle = asyncio.Event()
        self.commit_idle.set()
        self.hub = Hub(secrets.token_hex(6), self.commit_idle)
        self.publisher = Publisher(self.hub, self.reads, clock)
        self.invalidator = DirectoryInvalidator(names, self.publisher)
        directory.listen(self.invalidator)
        self.origins = Origins(settings.allowed_origins)
        limits = replace(limits, connections=settings.live_connections)
        self.live = LiveConnections(self.hub, self.reads, self.origins, limits)
