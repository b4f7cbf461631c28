"""Late projection: ranking of standings after an outage of the ranking."""

import asyncio
from collections.abc import Mapping

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

MAX_STANDINGS = 50_000


class LateProjection:
    """The newest standings that could not be ranked, by table and player.

    The pending projections stay in the ledger. From them the repair job ranks standings that do not fit here, or that
    are lost with the process.
    """

    def __init__(self, ranking: Ranking, publisher: Publisher, retry_s: float) -> None:
        self._ranking = ranking
        self._publisher = publisher
        self._retry_s = retry_s
        self._unranked: dict[TableKey, tuple[Board, dict[str, Standing]]] = {}
        self._added = asyncio.Event()

    def add(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        _, unranked = self._unranked.setdefault(key, (board, {}))
        if sum(len(players) for _, players in self._unranked.values()) < MAX_STANDINGS:
            unranked.update(standings)
            self._added.set()

    async def run(self) -> None:
        """Retry failed ranking writes every `retry_s` seconds until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(self._retry_s)
            unranked, self._unranked = self._unranked, {}
            self._added.clear()
            for key, (board, standings) in unranked.items():
                try:
                    await self._ranking.apply(key, board, standings, place=False)
                except NotRanked:
                    pass  # The table is being built from the totals, which have these standings.
                except Unavailable:
                    newer = self._unranked.get(key, (board, {}))[1]
                    self.add(key, board, {**standings, **newer})
                except Exception:
                    log.exception("ranking_failed", table=key)  # The outbox rows stay for the repair job.
                else:
                    self._publisher.changed(board, key)
