"""Backend plugin without a server: ranking and rate limiter in memory."""

import secrets
from contextlib import AsyncExitStack

from scoreboard.adapters.memory.ranking import LOAD_S, MemoryRanking
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, RankingBackend
from scoreboard.application.ports.clock import Clock


class MemoryPlugin:
    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        load_s = LOAD_S * options.patience
        ranking = MemoryRanking(database.ledger.standings, secrets.token_hex(6), load_s=load_s)
        stack.push_async_callback(ranking.close)
        return RankingBackend(ranking=ranking, rate_limiter=MemoryRateLimiter(), load_table=ranking.warm)
