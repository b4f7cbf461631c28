"""Warm-up of an in-process ranking: the tables of the open seasons, at start."""

import asyncio
import time
from collections.abc import Callable

from scoreboard.application.ports.backend import LoadTable
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

RETRIES = Backoff(first_s=0.2, longest_s=30.0)


async def load_open_tables(
    directory: Directory, ledger: Ledger, load_table: LoadTable, clock: Clock, report: Callable[[str], None]
) -> None:
    """Load every table of an open season; `report` receives the progress."""
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
    """Load a table, retrying until it succeeds; `load_table` logs each failure."""
    failures = 0
    while True:
        try:
            return await load_table(key, board)
        except NotRanked:
            failures += 1
            await asyncio.sleep(RETRIES.pause_s(failures))


async def _open_tables(ledger: Ledger, board: Board, clock: Clock) -> list[TableKey]:
    season = season_at(board.period, board.time_zone, clock()).name
    return [key for key in await ledger.tables(board) if key.season == season]
