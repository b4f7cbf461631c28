"""Rebuild: drop the ranking of a board and build it again from the totals."""

import asyncio
from typing import NamedTuple

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

POLL_S = 0.05


class Rebuilt(NamedTuple):
    """The result of a rebuild of the current season."""

    tables: int
    standings: int  # in the tables that are ready
    done: bool  # all tables are ready


class Rebuild:
    """The use case that rebuilds the ranking of a board while the service runs."""

    def __init__(self, ledger: Ledger, ranking: Ranking, publisher: Publisher, clock: Clock) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publisher = publisher
        self._clock = clock

    async def __call__(self, board: Board, patience_s: float = 0) -> Rebuilt:
        """Drop the ranking of a board, and wait for the tables of its current season.

        The wait ends after `patience_s` seconds, while the build continues. Tables of other seasons are built when they
        are read. Updates are accepted during a build, and reads wait or raise NotRanked. Raise Unavailable.
        """
        season = season_at(board.period, board.time_zone, self._clock()).name
        keys = [key for key in await self._ledger.tables(board) if key.season == season]
        await self._ranking.drop(board)
        totals = await asyncio.gather(*(self._build(key, board, patience_s) for key in keys))
        return Rebuilt(len(keys), sum(total or 0 for total in totals), None not in totals)

    async def _build(self, key: TableKey, board: Board, patience_s: float) -> int | None:
        """Return the number of standings of a table, or None if it is not ready in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            try:
                total = await self._ranking.total(key, board)  # the first read starts the build
            except NotRanked:
                if loop.time() > deadline:
                    return None
                await asyncio.sleep(POLL_S)
            else:
                self._publisher.changed(board, key)
                return total
