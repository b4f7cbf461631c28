"""Backend plugin without a server: ranking and limits in the memory of one process."""

import secrets
from contextlib import AsyncExitStack

from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, RankingBackend
from scoreboard.application.ports.clock import Clock


class MemoryPlugin:
    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        ranking = MemoryRanking(database.ledger.standings, secrets.token_hex(6))
        stack.push_async_callback(ranking.close)
        return RankingBackend(ranking=ranking, rate_limiter=MemoryRateLimiter(), load_table=ranking.warm)
