"""Drift of a board: differences between its tables and its ledger, both read over the API."""

from collections.abc import AsyncIterator, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from scoreboard.application.upkeep.drift import (
    RECHECK_AFTER_S,
    RECHECKS,
    LedgerFold,
    differing_players,
    lasting_differences,
)
from scoreboard.cli.client import RetryingClient
from scoreboard.cli.transfer.collections import ledger_pages
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import WORLD, Submission, TableKey
from scoreboard.entrypoints.contracts.v1 import schema

SEASONS = 3  # the newest ones are compared
PAGE = 1_000
BOUNDS = ("min_value", "max_value", "min_total", "max_total")


class Difference(NamedTuple):
    """A player of a table whose score differs between ledger and board; None where the player is missing."""

    table: TableKey
    player: str
    ledger: int | None
    board: int | None

    def __str__(self) -> str:
        place = f"{self.player} in {self.table.season} {self.table.region or 'world'}"
        return f"{place}: score {self.ledger} in the ledger, {self.board} on the board"


@dataclass(frozen=True)
class DriftReport:
    """Result of a comparison. It is not `complete` when the ledger has more entries than the limit."""

    entries: int
    standings: int
    differences: list[str]
    complete: bool = True


async def find_drift(client: RetryingClient, app: str, rules: schema.Board, most_entries: int) -> DriftReport:
    """Compare the tables of the newest seasons with the ledger. Updates may continue during the comparison."""
    board = _to_board(app, rules)
    ledger = LedgerFold(board)
    last: str | None = None

    async def read_ledger() -> bool:
        """Add the entries since the last read. Return False when there are too many."""
        nonlocal last
        async for page in ledger_pages(client, app, rules.board, after=last):
            for entry in page:
                ledger.add(_to_submission(board, entry))
                last = entry.event
            if ledger.entries > most_entries:
                return False
        return True

    async def recheck(known: Set[Difference]) -> Set[Difference]:
        await read_ledger()
        return known & await compare()

    async def compare() -> Set[Difference]:
        differences: set[Difference] = set()
        for table in _newest_tables(ledger):
            expected = {player: standing.score for player, standing in ledger.tables[table].items()}
            ranked = {player: score async for player, score in _ranked(client, board, table)}
            differences |= {
                Difference(table, player, expected.get(player), ranked.get(player))
                for player in differing_players(expected, ranked)
            }
        return differences

    if not await read_ledger():
        return DriftReport(ledger.entries, 0, [], complete=False)
    lasting = await lasting_differences(await compare(), recheck, RECHECKS, RECHECK_AFTER_S)
    standings = sum(len(ledger.tables[table]) for table in _newest_tables(ledger))
    return DriftReport(ledger.entries, standings, ledger.refusals + [str(one) for one in sorted(lasting, key=str)])


def _newest_tables(ledger: LedgerFold) -> list[TableKey]:
    """Return the tables of the newest seasons, whose names sort in their order."""
    seasons = sorted({table.season for table in ledger.tables})[-SEASONS:]
    return sorted(table for table in ledger.tables if table.season in seasons)


async def _ranked(client: RetryingClient, board: Board, table: TableKey) -> AsyncIterator[tuple[str, int]]:
    path = ("apps", board.app.slug, "boards", board.slug, "top")
    query: dict[str, str | int | None] = {"season": table.season, "limit": PAGE, "region": table.region or None}
    while True:
        page = await client.call("GET", *path, query=query, response=schema.Page)
        for entry in page.entries:
            yield entry.player, int(entry.score)
        query["cursor"] = page.next_cursor
        if page.next_cursor is None:
            break


def _to_board(app: str, rules: schema.Board) -> Board:
    fields: dict[str, Any] = {name: getattr(rules, name) for name in rules.__struct_fields__}
    fields |= {name: int(fields[name]) for name in BOUNDS} | {"regions": tuple(rules.regions)}
    return Board(pk=0, app=App(0, app, app), slug=fields.pop("board"), **fields)


def _to_submission(board: Board, entry: schema.LedgerEntry) -> Submission:
    event = event_id.from_text(entry.event)
    at = event_id.accepted_at(event)
    return Submission(
        event, at, board, entry.season or "", entry.player, int(entry.value), "", region=entry.region or WORLD
    )
