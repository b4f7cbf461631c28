"""Late projection: standings that could not be ranked are ranked when the ranking is reachable again."""

import asyncio
from collections.abc import Mapping

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

RETRY_EVERY_S = 0.1
MOST_BEHIND = 50_000  # standings


class LateProjection:
    """Keeps the newest standing of each player that is not ranked yet. `run` retries until it is cancelled.

    The projection notes stay in the ledger, so the repair job ranks what does not fit here or is lost with the process.
    """

    def __init__(self, ranking: Ranking, publisher: Publisher) -> None:
        self._ranking = ranking
        self._publisher = publisher
        self._behind: dict[TableKey, tuple[Board, dict[str, Standing]]] = {}
        self._added = asyncio.Event()

    def add(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        _, kept = self._behind.setdefault(key, (board, {}))
        if sum(len(some) for _, some in self._behind.values()) < MOST_BEHIND:
            kept.update(standings)
            self._added.set()

    async def run(self) -> None:
        while True:
            await self._added.wait()
            await asyncio.sleep(RETRY_EVERY_S)
            behind, self._behind = self._behind, {}
            self._added.clear()
            for key, (board, standings) in behind.items():
                try:
                    await self._ranking.apply(key, board, standings, place=False)
                except NotRanked:
                    pass  # the table is being built from the totals, which have these standings
                except Unavailable:
                    newer = self._behind.get(key, (board, {}))[1]
                    self.add(key, board, {**standings, **newer})
                except Exception:
                    log.exception("ranking_failed", table=key)
                else:
                    self._publisher.changed(board, key)
