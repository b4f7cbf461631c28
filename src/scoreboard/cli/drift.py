"""Drift: differences between the tables and the ledger of a board, over the API."""

from collections.abc import AsyncIterator, Set

import msgspec

from scoreboard.application.ports.diagnostics import Finding
from scoreboard.application.upkeep.drift import (
    RECHECK_AFTER_S,
    RECHECKS,
    LedgerFold,
    differing_players,
    lasting_differences,
)
from scoreboard.cli import output
from scoreboard.cli.client import Client
from scoreboard.cli.transfer.collections import ledger_pages
from scoreboard.domain import event_id
from scoreboard.domain.board import Board
from scoreboard.domain.submission import WORLD, Submission, TableKey
from scoreboard.entrypoints.contracts.v1 import schema

SEASONS = 3  # the newest ones are compared
PAGE = 1_000


async def diagnose_board(client: Client, app: str, rules: schema.Board, most_entries: int) -> Finding:
    """Compare the tables of the newest seasons with the ledger.

    Updates may continue during the comparison.
    """
    name = f"{app}/{rules.board}"
    fields = msgspec.to_builtins(rules) | {"pk": 0, "app": {"pk": 0, "slug": app, "name": app}, "slug": rules.board}
    board = msgspec.convert(fields, Board, strict=False)  # not strict: large bounds are text
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

    async def compare() -> Set[str]:
        differences: set[str] = set()
        for table in _newest_tables(ledger):
            expected = {player: standing.score for player, standing in ledger.tables[table].items()}
            ranked = {player: score async for player, score in _ranked(client, board, table)}
            differences |= {
                f"{player} in {table.season} {table.region or 'world'}: "
                f"score {expected.get(player)} in the ledger, {ranked.get(player)} on the board"
                for player in differing_players(expected, ranked)
            }
        return differences

    async def recheck(known: Set[str]) -> Set[str]:
        await read_ledger()
        return known & await compare()

    if not await read_ledger():
        text = f"{name}: not compared, as its ledger has more than {most_entries:,} entries"
        return Finding("ranking", "ok", text, "to compare it, raise --most-entries")
    lasting = await lasting_differences(await compare(), recheck, RECHECKS, RECHECK_AFTER_S)
    if differences := ledger.refusals + sorted(lasting):
        text = f"{name}: {output.count(len(differences), 'difference')}, such as {differences[0]}"
        remedy = f"scoreboard rebuild --app {app} --board {rules.board}, then repeat the check"
        return Finding("ranking", "problem", text, remedy)
    entries = output.count(ledger.entries, "ledger entry", "ledger entries")
    standings = sum(len(ledger.tables[table]) for table in _newest_tables(ledger))
    return Finding("ranking", "ok", f"{name}: {entries} match {output.count(standings, 'standing')}")


def _newest_tables(ledger: LedgerFold) -> list[TableKey]:
    """Return the tables of the newest seasons, whose names sort in their order."""
    seasons = sorted({table.season for table in ledger.tables})[-SEASONS:]
    return sorted(table for table in ledger.tables if table.season in seasons)


async def _ranked(client: Client, board: Board, table: TableKey) -> AsyncIterator[tuple[str, int]]:
    path = ("apps", board.app.slug, "boards", board.slug, "top")
    query: dict[str, str | int | None] = {"season": table.season, "limit": PAGE, "region": table.region or None}
    while True:
        page = await client.call("GET", *path, query=query, response=schema.Page)
        for entry in page.entries:
            yield entry.player, int(entry.score)
        query["cursor"] = page.next_cursor
        if page.next_cursor is None:
            break


def _to_submission(board: Board, entry: schema.LedgerEntry) -> Submission:
    event = event_id.from_text(entry.event)
    at = event_id.accepted_at(event)
    region = entry.region or WORLD
    return Submission(event, at, board, entry.season or "", entry.player, int(entry.value), "", region=region)
