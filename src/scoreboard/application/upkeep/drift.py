"""Drift check: a ranking that differs from the totals is found, counted and made anew."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, RankedEntry, Ranking, RankingCache
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

T = TypeVar("T")

EVERY_S = 60.0
LOOKS = 3
LOOK_AGAIN_S = 4.0  # longer than the repair job needs after a crash
COMPARED = 100  # standings at the top, and at the end of what is kept

Said: TypeAlias = RankedEntry | int
"""Of a player, or of how many there are."""


class Drift:
    """`totals` answers from the ledger's totals; `cache` says how much of them `ranking` keeps. `found` counts the
    tables that drifted since the start."""

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        totals: Ranking,
        ranking: Ranking,
        cache: RankingCache,
        rebuild: Rebuild,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._totals = totals
        self._ranking = ranking
        self._cache = cache
        self._rebuild = rebuild
        self._clock = clock
        self.found = 0

    async def run(self) -> None:
        """For ever, every minute."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.debug("drift_check_put_off", code=error.code)  # what is away was said where it was found
            except Exception:
                log.exception("drift_check_failed")
            await asyncio.sleep(EVERY_S)

    async def once(self) -> list[TableKey]:
        """Compare the tables of the current seasons; those that drifted are being made anew."""
        drifted = []
        for app in await self._directory.apps():
            for board in await self._directory.boards(app):
                season = season_at(board.period, board.time_zone, self._clock()).name
                keys = [key for key in await self._ledger.tables(board) if key.season == season]
                differing = [key for key in keys if await self._differs(key, board)]
                if differing:
                    log.error("ranking_drifted", board=f"{app.slug}/{board.slug}", tables=len(differing))
                    self.found += len(differing)
                    drifted += differing
                    await self._rebuild(board)
        return drifted

    async def _differs(self, key: TableKey, board: Board) -> bool:
        """Return whether the ranking differs from the totals at every look."""
        try:
            return bool(await repeated_findings(lambda: self._wrong(key, board)))
        except NotRanked:
            return False  # a rebuild is in progress

    async def _wrong(self, key: TableKey, board: Board) -> set[Said]:
        """What the ranking says and the totals do not."""
        kept = await self._cache.cached_depth(key, board)
        said = await _said(self._ranking, key, board, kept)
        return said - await _said(self._totals, key, board, kept)


async def repeated_findings(look: Callable[[], Awaitable[set[T]]]) -> set[T]:
    """Return the findings that are the same at every look.

    Two sources that are read one after the other never agree under load. An update in progress has changed its finding
    by the next look, and what a crash left is repaired by then.
    """
    findings = await look()
    for _ in range(LOOKS - 1):
        if findings:
            await asyncio.sleep(LOOK_AGAIN_S)
            findings &= await look()
    return findings


async def _said(ranking: Ranking, key: TableKey, board: Board, kept: int | None) -> set[Said]:
    """The top, and how many standings there are: in all, or above the last of those that are kept."""
    if kept is None:
        everything = await ranking.slice(key, board, 0, COMPARED)
        return {everything.total, *everything.rows}
    top = await ranking.slice(key, board, 0, min(COMPARED, kept))
    last = await ranking.slice(key, board, max(kept - COMPARED, 0), kept)
    return {*top.rows, *last.rows}
