"""Verify: a full comparison of ledger, totals and ranking, for tests and audits."""

from collections.abc import Mapping
from dataclasses import dataclass

from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import RankedEntry, Ranking
from scoreboard.application.upkeep.drift import LedgerFold, differing_players
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

SHOWN = 10
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a comparison."""

    entries: int  # of the ledger
    standings: int  # of the totals
    differences: list[str]  # descriptions of the first few


async def verify(ledger: Ledger, ranking: Ranking, board: Board) -> Report:
    """Compare all tables of a board while nothing is written to it.

    The ranking must return the same entry for a player in a list and in a query for the player alone. Raise NotRanked.
    """
    ledger_fold = LedgerFold(board)
    async for chunk in ledger.entries(board):
        for submission, _ in chunk:
            ledger_fold.add(submission)
    differences = list(ledger_fold.refusals)
    count = 0
    for key in sorted({*ledger_fold.tables, *await ledger.tables(board)}):
        expected = ledger_fold.tables.get(key, {})
        totals = {player: standing async for chunk in ledger.standings(key) for player, standing in chunk}
        count += len(totals)
        differences += [
            f"totals of {key}: {player} should be {expected.get(player)}, is {totals.get(player)}"
            for player in differing_players(_without_version(expected), _without_version(totals))
        ]
        listed = await _list_entries(ranking, board, key)
        single = await _single_entries(ranking, board, key, list(totals))
        scores = {player: (standing.score, standing.reached_at) for player, standing in totals.items()}
        listed_scores = {player: (entry.score, entry.reached_at) for player, entry in listed.items()}
        wrong = differing_players(scores, listed_scores) | differing_players(listed, single)
        differences += [f"ranking of {key}: {player} differs" for player in wrong]
    return Report(ledger_fold.entries, count, differences[:SHOWN])


async def _list_entries(ranking: Ranking, board: Board, key: TableKey) -> dict[str, RankedEntry]:
    entries: dict[str, RankedEntry] = {}
    start = 0
    while rows := (await ranking.slice(key, board, start, start + CHUNK)).rows:
        entries.update((entry.player, entry) for entry in rows)
        start += len(rows)
    return entries


async def _single_entries(ranking: Ranking, board: Board, key: TableKey, players: list[str]) -> dict[str, RankedEntry]:
    entries: dict[str, RankedEntry] = {}
    for start in range(0, len(players), CHUNK):
        ranks = await ranking.get_ranks(key, board, players[start : start + CHUNK])
        entries.update((player, rank.entry) for player, rank in ranks.items())
    return entries


def _without_version(standings: Mapping[str, Standing]) -> dict[str, tuple[int, int, bytes]]:
    return {player: (one.score, one.reached_at, one.event) for player, one in standings.items()}
