"""What a ranking that keeps only the best of a table asks of the ledger's totals, and how many standings it says there
are in all."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import structlog

from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

FRESH_MS = 1_000  # a count so old is good, and then made again while it is used
GOOD_MS = 10_000  # one that is older is waited for
SHARE = 20  # the pause between two counts of a table is this many times what one takes


class Totals(Protocol):
    """Each is of one instant, not before it is asked. They raise Unavailable, `total` NotRanked."""

    async def top(self, key: TableKey, board: Board, most: int) -> Sequence[tuple[str, Standing]]:
        """The best standings of a table, best first."""
        ...

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]: ...

    async def total(self, key: TableKey, board: Board) -> int: ...


def wrap_totals(totals: Totals | None) -> Totals:
    if totals is None:
        raise RuntimeError("a ranking that shares capped tables needs the totals")
    return totals


class Counts:
    """How many standings capped tables have in all, counted while somebody reads them and at most once at a time:
    `note` is told. While it cannot be counted, what is known stays."""

    def __init__(self, totals: Totals, note: Callable[[TableKey, int], Awaitable[None]]) -> None:
        self._totals = totals
        self._note = note
        self._counting: dict[TableKey, asyncio.Task[None]] = {}
        self._again_at: dict[TableKey, float] = {}  # by the clock of the event loop

    async def refreshed(self, key: TableKey, board: Board, age_ms: int) -> bool:
        """Of a count that is so old: whether there is a new one, for which it was worth to wait."""
        if age_ms < FRESH_MS:
            return False
        counting = self._counting.get(key)
        if counting is None:
            if asyncio.get_running_loop().time() < self._again_at.get(key, 0.0):
                return False
            counting = self._counting[key] = asyncio.create_task(self._count(key, board))
            counting.add_done_callback(lambda _: self._counting.pop(key))
        if age_ms < GOOD_MS:
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
            pass  # said in the log where it was found
        except Exception:
            log.exception("table_not_counted", table=key)
        self._again_at[key] = loop.time() + SHARE * (loop.time() - began)
