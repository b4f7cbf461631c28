"""Backend plugin for Redis and Valkey: ranking, feed and rate limiter."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from scoreboard.adapters.redis import diagnostics, inspection
from scoreboard.adapters.redis.connection import FAILURES, Address, Client, connect
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from scoreboard.adapters.redis.timeouts import RedisTimeouts
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.application.upkeep.trim import is_past


class RedisPlugin:
    name = "redis"

    def check_url(self, url: str) -> None:
        Address.parse(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, "SCOREBOARD_RANKING_URL")

    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        timeouts = RedisTimeouts().scaled(options.patience)
        client = await stack.enter_async_context(closing_quietly(options.ranking_url, timeouts))
        ranking = RedisRanking(
            client,
            database.ledger.standings,
            database.totals,
            options.ranking_keep,
            lambda key, board: is_past(key, board, clock()),
            timeouts,
        )
        stack.push_async_callback(ranking.close)
        feed = RedisFeed(client, timeouts)
        return RankingBackend(
            ranking=ranking,
            rate_limiter=RedisRateLimiter(client, timeouts=timeouts),
            feed=feed,
            cache=ranking,
            pings={self.name: client.ping},
            tasks=[feed.run],
        )


@asynccontextmanager
async def closing_quietly(url: str, timeouts: RedisTimeouts) -> AsyncIterator[Client]:
    """Open a client; ignore failures to close its connections at the stop."""
    connecting = connect(url, timeouts)
    client = await connecting.__aenter__()
    try:
        yield client
    finally:
        with contextlib.suppress(*FAILURES):
            await connecting.__aexit__(None, None, None)
