"""The tables of the open seasons, loaded at start where the process holds them."""

import asyncio
import time
from collections.abc import Callable

from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

LOAD_AGAIN_S, LOAD_AGAIN_MOST_S = 0.2, 30.0  # between two tries; it doubles


async def loaded(
    directory: Directory, ledger: Ledger, ranking: MemoryRanking, clock: Clock, told: Callable[[str], None]
) -> None:
    """Returns when all that is open is there; `told` is how far it is."""
    started = time.perf_counter()
    standings = tables = 0
    for app in await directory.apps():
        for board in await directory.boards(app):
            for key in await _open_tables(ledger, board, clock):
                told(f"loading {app.app}/{board.board} {key.season} {key.region or 'world'}")
                standings += await _table_loaded(ranking, key, board)
                tables += 1
    seconds = time.perf_counter() - started
    told(f"loaded {standings:,} standings in {tables} tables in {seconds:.1f} s")


async def _table_loaded(ranking: MemoryRanking, key: TableKey, board: Board) -> int:
    """Tried until it is: a service without one of its tables is not ready. The log has why."""
    pause_s = LOAD_AGAIN_S
    while True:
        try:
            return await ranking.warm(key, board)
        except NotRanked:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LOAD_AGAIN_MOST_S)


async def _open_tables(ledger: Ledger, board: Board, clock: Clock) -> list[TableKey]:
    season = season_at(board.period, board.time_zone, clock()).name
    return [key for key in await ledger.tables(board) if key.season == season]
