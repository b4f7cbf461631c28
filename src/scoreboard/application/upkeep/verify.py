"""Verify: the fold of the ledger equals the totals equals the ranking. Promise 4, as a command and a test oracle."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import RankedEntry, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, TableKey

SHOWN = 10
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """`differences` are the first few, in words."""

    entries: int
    standings: int
    differences: list[str]


async def verify(ledger: Ledger, ranking: Ranking, board: Board) -> Report:
    """Compare while nothing is written to the board: an update in between would show as a difference. A ranking has to
    say the same of a player in a list and by itself. Raises NotRanked."""
    folded: dict[TableKey, dict[str, Standing]] = {}
    entries = 0
    async for chunk in ledger.entries(board):
        for submission, _ in chunk:
            entries += 1
            for key in submission.tables:
                standings = folded.setdefault(key, {})
                standings[submission.player] = fold(board, standings.get(submission.player), submission)
    differences: list[str] = []
    count = 0
    for key in sorted({*folded, *await ledger.tables(board)}):
        totals = {player: standing async for chunk in ledger.standings(key) for player, standing in chunk}
        count += len(totals)
        differences += _differences(f"totals of {key}", folded.get(key, {}), totals)
        ranked = {one.player: one async for one in _ranked(ranking, board, key)}
        asked = {player: one async for player, one in _asked(ranking, board, key, list(totals))}
        differences += [
            f"ranking of {key}: {player} differs"
            for player in totals.keys() | ranked.keys()
            if player not in ranked
            or player not in totals
            or (ranked[player].score, ranked[player].reached_at) != (totals[player].score, totals[player].reached_at)
            or asked.get(player) != ranked[player]
        ]
    return Report(entries, count, differences[:SHOWN])


async def _ranked(ranking: Ranking, board: Board, key: TableKey) -> AsyncIterator[RankedEntry]:
    """As a list tells it."""
    start = 0
    while rows := (await ranking.slice(key, board, start, start + CHUNK)).rows:
        for row in rows:
            yield row
        start += len(rows)


async def _asked(
    ranking: Ranking, board: Board, key: TableKey, players: list[str]
) -> AsyncIterator[tuple[str, RankedEntry]]:
    """As each player is told it."""
    for start in range(0, len(players), CHUNK):
        found = await ranking.get_ranks(key, board, players[start : start + CHUNK])
        for player, details in found.items():
            yield player, details.entry


def _differences(what: str, expected: dict[str, Standing], found: dict[str, Standing]) -> list[str]:
    return [
        f"{what}: {player} should be {expected.get(player)}, is {found.get(player)}"
        for player in expected.keys() | found.keys()
        if _essence(expected.get(player)) != _essence(found.get(player))
    ]


def _essence(standing: Standing | None) -> tuple[int, int, bytes] | None:
    return None if standing is None else (standing.score, standing.reached_at, standing.event)
