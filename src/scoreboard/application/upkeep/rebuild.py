"""Rebuild: throw the ranking of a board away, and make it again from the totals, while serving."""

import asyncio
from typing import NamedTuple

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

LOOK_EVERY_S = 0.05


class Rebuilt(NamedTuple):
    """How many tables of the current season were made anew, and the standings of those that are done."""

    tables: int
    standings: int
    done: bool


class Rebuild:
    def __init__(self, ledger: Ledger, ranking: Ranking, publish: Publisher, clock: Clock) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publish = publish
        self._clock = clock

    async def __call__(self, board: Board, patience_s: float = 0) -> Rebuilt:
        """Returns when the tables of the current season are there again, or after `patience_s`; those of other seasons
        are made when they are asked for. Meanwhile updates go on, and reads wait or say `warming`."""
        season = season_at(board.period, board.time_zone, self._clock()).name
        keys = [key for key in await self._ledger.tables(board) if key.season == season]  # while that fails, all stays
        await self._ranking.drop(board)
        totals = await asyncio.gather(*(self._made(key, board, patience_s) for key in keys))
        return Rebuilt(len(keys), sum(total or 0 for total in totals), None not in totals)

    async def _made(self, key: TableKey, board: Board, patience_s: float) -> int | None:
        """How many standings it has, once it is made; None when that takes too long."""
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + patience_s
        while True:
            try:
                total = await self._ranking.total(key, board)  # asking is what starts it
            except NotRanked:
                if loop.time() > given_up_at:
                    return None
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                self._publish.changed(board, key)
                return total
