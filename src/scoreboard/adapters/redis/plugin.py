"""Backend plugin for Redis and Valkey: the ranking, the feed and the limits that processes share."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from scoreboard.adapters.redis import diagnostics, inspection
from scoreboard.adapters.redis.connection import FAILURES, Address, Client, connect
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.application.upkeep.trim import is_past


class RedisPlugin:
    name = "redis"

    def check_url(self, url: str) -> None:
        Address.of(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, "SCOREBOARD_RANKING_URL")

    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        client = await stack.enter_async_context(closing_quietly(options.ranking_url))
        ranking = RedisRanking(
            client,
            database.ledger.standings,
            database.totals,
            options.ranking_keep,
            lambda key, board: is_past(key, board, clock()),
        )
        stack.push_async_callback(ranking.close)
        feed = RedisFeed(client)
        return RankingBackend(
            ranking=ranking,
            rate_limiter=RedisRateLimiter(client),
            feed=feed,
            cache=ranking,
            pings={self.name: client.ping},
            tasks=[feed.run],
        )


@asynccontextmanager
async def closing_quietly(url: str) -> AsyncIterator[Client]:
    """Open a client; ignore failures when its connections are closed, so that they do not fail a stop."""
    connecting = connect(url)
    client = await connecting.__aenter__()
    try:
        yield client
    finally:
        with contextlib.suppress(*FAILURES):
            await connecting.__aexit__(None, None, None)
