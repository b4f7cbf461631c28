"""Warm-up: the tables of the open seasons, loaded at start where the ranking is in this process."""

import asyncio
import time
from collections.abc import Callable

from scoreboard.application.ports.backend import LoadTable
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

LOAD_AGAIN_S, LOAD_AGAIN_MOST_S = 0.2, 30.0  # between two tries; it doubles


async def load_open_tables(
    directory: Directory, ledger: Ledger, load_table: LoadTable, clock: Clock, report: Callable[[str], None]
) -> None:
    """Return when every table of an open season is loaded; `report` gets the progress."""
    started = time.perf_counter()
    standings = tables = 0
    for app in await directory.apps():
        for board in await directory.boards(app):
            for key in await _open_tables(ledger, board, clock):
                report(f"loading {app.slug}/{board.slug} {key.season} {key.region or 'world'}")
                standings += await _load(load_table, key, board)
                tables += 1
    seconds = time.perf_counter() - started
    report(f"loaded {standings:,} standings in {tables} tables in {seconds:.1f} s")


async def _load(load_table: LoadTable, key: TableKey, board: Board) -> int:
    """Try until it succeeds: a service without one of its tables is not ready. The log has the reason."""
    pause_s = LOAD_AGAIN_S
    while True:
        try:
            return await load_table(key, board)
        except NotRanked:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LOAD_AGAIN_MOST_S)


async def _open_tables(ledger: Ledger, board: Board, clock: Clock) -> list[TableKey]:
    season = season_at(board.period, board.time_zone, clock()).name
    return [key for key in await ledger.tables(board) if key.season == season]
