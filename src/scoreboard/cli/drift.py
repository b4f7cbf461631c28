"""Drift of a board: differences between its tables and its ledger, both read over the API."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scoreboard.application.upkeep.drift import repeated_findings
from scoreboard.cli.client import RetryingClient
from scoreboard.cli.transfer.collections import ledger_pages
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import WORLD, Standing, Submission
from scoreboard.entrypoints.contracts.v1 import schema

SEASONS = 3  # the newest ones are compared
PAGE = 1_000
SCORES = ("min_value", "max_value", "min_total", "max_total")


class Place(NamedTuple):
    """A player in a table of the board."""

    season: str
    region: str
    player: str


@dataclass
class Totals:
    """Standings that follow from the ledger entries read so far."""

    board: Board
    entries: int = 0
    last: str | None = None
    standings: dict[Place, Standing] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def add(self, entry: schema.LedgerEntry) -> None:
        """Apply one entry to the world table and that of its region."""
        self.entries += 1
        self.last = entry.event
        event, season = event_id.from_text(entry.event), entry.season or ""
        at = event_id.accepted_at(event)
        submission = Submission(event, at, self.board, season, entry.player, int(entry.value), "")
        for region in (WORLD, *filter(None, (entry.region,))):
            place = Place(season, region, entry.player)
            try:
                self.standings[place] = fold(self.board, self.standings.get(place), submission)
            except Refused as error:
                self.refused.append(f"{entry.event}: {error.detail}")

    def scores(self) -> dict[Place, int]:
        """Return the scores in the newest seasons, whose names sort in their order."""
        newest = sorted({place.season for place in self.standings})[-SEASONS:]
        return {place: standing.score for place, standing in self.standings.items() if place.season in newest}


@dataclass(frozen=True)
class DriftReport:
    """Result of a comparison. It is not `complete` when the ledger has more entries than the limit."""

    entries: int
    standings: int
    differences: list[str]
    complete: bool = True


async def find_drift(client: RetryingClient, app: str, rules: schema.Board, most_entries: int) -> DriftReport:
    """Compare the tables of the newest seasons with the ledger. Updates may continue meanwhile."""
    path = ("apps", app, "boards", rules.board)
    totals = Totals(_to_board(app, rules))
    async for page in ledger_pages(client, app, rules.board):
        for entry in page:
            totals.add(entry)
        if totals.entries > most_entries:
            return DriftReport(totals.entries, 0, [], complete=False)

    async def find_wrong_scores() -> set[tuple[Place, int | None]]:
        async for page in ledger_pages(client, app, rules.board, after=totals.last):
            for entry in page:
                totals.add(entry)
        expected = totals.scores()
        ranked = {place: score async for place, score in _ranked(client, path, {place[:2] for place in expected})}
        return {
            (place, ranked.get(place)) for place in expected.keys() | ranked if expected.get(place) != ranked.get(place)
        }

    wrong = await repeated_findings(find_wrong_scores)
    expected = totals.scores()
    differences = totals.refused + [
        f"{place.player} in {place.season} {place.region or 'world'}: "
        f"score {expected.get(place)} in the ledger, {score} on the board"
        for place, score in sorted(wrong, key=lambda finding: finding[0])
    ]
    return DriftReport(totals.entries, len(expected), differences)


async def _ranked(
    client: RetryingClient, path: tuple[str, ...], tables: Collection[tuple[str, str]]
) -> AsyncIterator[tuple[Place, int]]:
    for season, region in sorted(tables):
        query: dict[str, str | int | None] = {"season": season, "limit": PAGE, "region": region or None}
        while True:
            page = await client.call("GET", *path, "top", query=query, response=schema.Page)
            for entry in page.entries:
                yield Place(season, region, entry.player), int(entry.score)
            query["cursor"] = page.next_cursor
            if page.next_cursor is None:
                break


def _to_board(app: str, rules: schema.Board) -> Board:
    fields: dict[str, Any] = {name: getattr(rules, name) for name in rules.__struct_fields__}
    fields.update({name: int(fields[name]) for name in SCORES})
    return Board(**{**fields, "number": 0, "app": App(0, app, app), "regions": tuple(rules.regions)})
