"""A capped ranking in Redis, with the totals in PostgreSQL behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from harness.servers.redis import TIMEOUTS, emptied
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.timeouts import RankingLimits
from scoreboard.application.ports.ranking import RankChange
from scoreboard.application.standings.fallback import FallbackRanking
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey
from tests.ports.postgres_totals import PostgresRankings, RankingOfTotals, postgres_rankings


class Capped(FallbackRanking):
    """A capped ranking that first writes each update to the totals, like the ledger.

    Ranks beyond the kept part are read from the totals.
    """

    def __init__(self, cache: RedisRanking, totals: RankingOfTotals) -> None:
        super().__init__(cache, totals)
        self.cache = cache
        self.totals = totals

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        looked_up = await self.totals.apply(key, board, standings, place=place)
        placed = await super().apply(key, board, standings, place=place)
        return {**looked_up, **placed}

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        await self.totals.remove(key, player, version)
        await super().remove(key, player, version)


class CappedRankings:
    tells_before = True

    def __init__(self, cache: RedisRanking, behind: PostgresRankings) -> None:
        self.ranking = Capped(cache, behind.ranking)
        self.given = behind.given
        self.load = behind.load


@asynccontextmanager
async def capped_rankings(redis_url: str, keep: int) -> AsyncIterator[CappedRankings]:
    """Open a capped ranking with exact totals, which are counted at each read."""
    async with postgres_rankings() as behind, connect(emptied(redis_url), TIMEOUTS) as client:
        limits = RankingLimits(fresh_ms=0, usable_ms=0, count_pauses=0)
        cache = RedisRanking(client, behind.load, behind.ranking, keep, timeouts=TIMEOUTS, limits=limits)
        yield CappedRankings(cache, behind)
        await cache.close()
