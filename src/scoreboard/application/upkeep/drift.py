"""Drift: find the differences of ledger, totals and ranking, and remove them.

Every comparison of the three uses `LedgerFold`, `differing_players` and `lasting_differences`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Set
from typing import TypeAlias, TypeVar

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, RankedEntry, Ranking, RankingCache
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain import event_id
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import Standing, Submission, TableKey

log = structlog.get_logger(__name__)

RECHECKS = 2
RECHECK_AFTER_S = 4.0  # long enough for the repair job to rank what a crash left unranked
COMPARED = 100  # standings at the top, and as many at the end of the cached part

T = TypeVar("T")

Fact: TypeAlias = RankedEntry | int
"""A ranked player, or the number of standings in a table."""


class LedgerFold:
    """The standings that the ledger of a board amounts to, by table and player.

    `entries` counts the entries added, `refusals` describes those that the rules of the board cannot apply.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.entries = 0
        self.tables: dict[TableKey, dict[str, Standing]] = {}
        self.refusals: list[str] = []

    def add(self, entry: Submission) -> None:
        """Apply an entry to its tables. Add the entries in the order of the ledger."""
        self.entries += 1
        for key in entry.tables:
            standings = self.tables.setdefault(key, {})
            try:
                standings[entry.player] = fold(self._board, standings.get(entry.player), entry)
            except Refused as error:
                self.refusals.append(f"{event_id.to_text(entry.event)}: {error.detail}")


def differing_players(expected: Mapping[str, object], actual: Mapping[str, object]) -> set[str]:
    """Return the players whose values are not equal, or that only one side has."""
    return {player for player in expected.keys() | actual.keys() if expected.get(player) != actual.get(player)}


async def lasting_differences(
    differences: Set[T], recheck: Callable[[Set[T]], Awaitable[Set[T]]], times: int, pause_s: float
) -> Set[T]:
    """Return the differences that remain after `times` rechecks, each after a pause.

    Two stores that are read one after the other differ while updates are in flight. Such a difference does not last.
    `recheck` returns those of its argument that it finds again. `pause_s` is in seconds.
    """
    for _ in range(times):
        if not differences:
            break
        await asyncio.sleep(pause_s)
        differences = await recheck(differences)
    return differences


class Drift:
    """The job that compares rankings with the totals, and rebuilds those that differ.

    `totals` reads the ledger's totals. `cache` returns how many standings `ranking` holds of a table. A difference must
    last for two rechecks, `recheck_after_s` seconds apart. `drifted_tables` counts the tables since the start.
    """

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        totals: Ranking,
        ranking: Ranking,
        cache: RankingCache,
        rebuild: Rebuild,
        clock: Clock,
        recheck_after_s: float = RECHECK_AFTER_S,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._totals = totals
        self._ranking = ranking
        self._cache = cache
        self._rebuild = rebuild
        self._clock = clock
        self._recheck_after_s = recheck_after_s
        self.drifted_tables = 0

    async def once(self) -> list[TableKey]:
        """Compare the current seasons, start to rebuild what drifted, and return its keys."""
        drifted = []
        for app in await self._directory.apps():
            for board in await self._directory.boards(app):
                season = season_at(board.period, board.time_zone, self._clock()).name
                keys = [key for key in await self._ledger.tables(board) if key.season == season]
                differing = [key for key in keys if await self._differs(key, board)]
                if differing:
                    log.error("ranking_drifted", board=f"{app.slug}/{board.slug}", tables=len(differing))
                    self.drifted_tables += len(differing)
                    drifted += differing
                    await self._rebuild(board)
        return drifted

    async def _differs(self, key: TableKey, board: Board) -> bool:
        """Return whether the ranking holds the same wrong fact at every check."""

        async def recheck(differences: Set[Fact]) -> Set[Fact]:
            return differences & await self._wrong_facts(key, board)

        try:
            differences = await self._wrong_facts(key, board)
            return bool(await lasting_differences(differences, recheck, RECHECKS, self._recheck_after_s))
        except NotRanked:
            return False  # the table is being built

    async def _wrong_facts(self, key: TableKey, board: Board) -> Set[Fact]:
        """Return the facts of the ranking that the totals do not have."""
        depth = await self._cache.cached_depth(key, board)
        ranked = await _read_facts(self._ranking, key, board, depth)
        return ranked - await _read_facts(self._totals, key, board, depth)


async def _read_facts(ranking: Ranking, key: TableKey, board: Board, depth: int | None) -> set[Fact]:
    """Return a table's top and its total, or both ends of its `depth` cached rows."""
    if depth is None:
        top = await ranking.slice(key, board, 0, COMPARED)
        return {top.total, *top.rows}
    top = await ranking.slice(key, board, 0, min(COMPARED, depth))
    last = await ranking.slice(key, board, max(depth - COMPARED, 0), depth)
    return {*top.rows, *last.rows}
