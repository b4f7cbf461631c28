"""The ledger's totals behind a capped table, and the count of all its standings."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import structlog

from scoreboard.adapters.redis.timeouts import LIMITS, RankingLimits
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)


class Totals(Protocol):
    """Reads of the ledger's totals, each of one instant after its call.

    They raise Unavailable, `total` NotRanked.
    """

    async def top(self, key: TableKey, board: Board, most: int) -> Sequence[tuple[str, Standing]]:
        """Return the best standings of a table, best first."""
        ...

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]: ...

    async def total(self, key: TableKey, board: Board) -> int: ...


def require_totals(totals: Totals | None) -> Totals:
    if totals is None:
        raise RuntimeError("a ranking that shares capped tables needs the totals")
    return totals


class Counts:
    """Counts of all standings of capped tables, refreshed while they are read.

    A new count is passed to `note`. While the totals cannot be counted, the last count stays in use.
    """

    def __init__(
        self,
        totals: Totals,
        note: Callable[[TableKey, int], Awaitable[None]],
        limits: RankingLimits = LIMITS,
    ) -> None:
        self._totals = totals
        self._note = note
        self._limits = limits
        self._counting: dict[TableKey, asyncio.Task[None]] = {}
        self._next_at: dict[TableKey, float] = {}  # by the clock of the event loop

    async def refresh(self, key: TableKey, board: Board, age_ms: int) -> bool:
        """Count again if the last count is old; return True if the count was waited for."""
        if age_ms < self._limits.fresh_ms:
            return False
        counting = self._counting.get(key)
        if counting is None:
            if asyncio.get_running_loop().time() < self._next_at.get(key, 0.0):
                return False
            counting = self._counting[key] = asyncio.create_task(self._count(key, board))
            counting.add_done_callback(lambda _: self._counting.pop(key))
        if age_ms < self._limits.usable_ms:
            return False
        await asyncio.wait((counting,))
        return True

    async def close(self) -> None:
        counting = list(self._counting.values())
        for task in counting:
            task.cancel()
        await asyncio.gather(*counting, return_exceptions=True)

    async def _count(self, key: TableKey, board: Board) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._note(key, await self._totals.total(key, board))
        except (NotRanked, Unavailable):
            pass  # The adapter that failed has logged it.
        except Exception:
            log.exception("table_not_counted", table=key)  # The table is counted again after a pause.
        self._next_at[key] = loop.time() + self._limits.count_pauses * (loop.time() - began)
