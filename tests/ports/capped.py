"""A capped ranking in Redis, with the totals in PostgreSQL behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from harness.servers.redis import emptied
from scoreboard.adapters.redis import totals
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.application.ports.ranking import RankChange
from scoreboard.application.standings.fallback import FallbackRanking
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey
from tests.ports.postgres_totals import PostgresRankings, RankingOfTotals, postgres_rankings


class Capped(FallbackRanking):
    """A ranking that writes standings to the totals first, as the ledger does.

    The totals return the rank of a standing that is not cached.
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
    """All standings are counted at each read, so that every answer can be compared."""
    async with postgres_rankings() as behind, connect(emptied(redis_url)) as client:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("FRESH_MS", "GOOD_MS", "SHARE"):
                patch.setattr(totals, name, 0)
            cache = RedisRanking(client, behind.load, behind.ranking, keep)
            yield CappedRankings(cache, behind)
            await cache.close()
