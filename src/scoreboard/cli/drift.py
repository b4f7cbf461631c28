"""Drift: whether the standings that a server tells are those that its ledger comes to, looked at from outside."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scoreboard.cli.errors import RequestRefused
from scoreboard.cli.retrying import Patient
from scoreboard.cli.transfer.collection import entries
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import WORLD, Standing, Submission
from scoreboard.entrypoints.contracts.v1 import schema

SEASONS = 3  # the newest, whose tables are compared
PAGE = 1_000
LOOKS, LOOK_EVERY_S = 5, 0.2  # again, at what differs: updates go on meanwhile
SCORES = ("min_value", "max_value", "min_total", "max_total")
NOBODY = {"player_not_found", "standing_not_found"}


class Place(NamedTuple):
    """A player in a table of the board."""

    season: str
    region: str
    player: str


@dataclass
class Ledger:
    """What the entries read so far come to."""

    board: Board
    count: int = 0
    last: str | None = None
    standings: dict[Place, Standing] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def add(self, entry: schema.LedgerEntry) -> list[Place]:
        """The places that it is about."""
        self.count += 1
        self.last = entry.event
        event, season = event_id.from_text(entry.event), entry.season or ""
        at = event_id.accepted_at(event)
        submission = Submission(event, at, self.board, season, entry.player, int(entry.value), "")
        places = [Place(season, region, entry.player) for region in (WORLD, *filter(None, (entry.region,)))]
        for place in places:
            try:
                self.standings[place] = fold(self.board, self.standings.get(place), submission)
            except Refused as error:
                self.differences.append(f"{entry.event}: {error.detail}")
        return places

    def score(self, place: Place) -> int | None:
        standing = self.standings.get(place)
        return None if standing is None else standing.score


@dataclass(frozen=True)
class Drift:
    """`differences` in words. `complete` unless the ledger has more entries than were to be read."""

    entries: int
    standings: int
    differences: list[str]
    complete: bool


async def drift(client: Patient, app: str, rules: schema.Board, most: int) -> Drift:
    """Read the ledger, fold it, and compare with the tables of the newest seasons. Updates may go on meanwhile: what
    differs is looked at again, until it is the same or stays different while the ledger says nothing new."""
    ledger = Ledger(_board(app, rules))
    async for page in entries(client, app, rules.board):
        for entry in page:
            ledger.add(entry)
        if ledger.count > most:
            return Drift(ledger.count, 0, [], complete=False)
    compared = 0
    suspects: set[Place] = set()
    for season, region in _newest(ledger):
        ranked = {place: score async for place, score in _ranked(client, ledger.board, season, region)}
        expected = {place for place in ledger.standings if place[:2] == (season, region)}
        suspects |= {place for place in expected | ranked.keys() if ledger.score(place) != ranked.get(place)}
        compared += len(expected)
    differences = ledger.differences + await _still_different(client, ledger, suspects)
    return Drift(ledger.count, compared, differences, complete=True)


async def _still_different(client: Patient, ledger: Ledger, suspects: set[Place]) -> list[str]:
    told: dict[Place, int | None] = {}
    for _ in range(LOOKS):
        if not suspects:
            break
        await asyncio.sleep(LOOK_EVERY_S)
        scores = {place: {ledger.score(place)} for place in suspects}  # while the board was asked
        told = {place: await _standing(client, ledger.board, place) for place in suspects}
        async for page in entries(client, ledger.board.app.slug, ledger.board.slug, after=ledger.last):
            for entry in page:
                for place in ledger.add(entry):
                    scores.get(place, set()).add(ledger.score(place))
        suspects = {place for place in suspects if told[place] not in scores[place]}
    return [
        f"{place.player} in {place.season} {place.region or 'world'}: "
        f"the ledger comes to {ledger.score(place)}, the board says {told[place]}"
        for place in sorted(suspects)
    ]


async def _ranked(client: Patient, board: Board, season: str, region: str) -> AsyncIterator[tuple[Place, int]]:
    query: dict[str, str | int] = {"season": season, "limit": PAGE, **({"region": region} if region else {})}
    while True:
        page = await client.call("GET", *_path(board), "top", query=query, answer=schema.Page)
        for line in page.entries:
            yield Place(season, region, line.player), int(line.score)
        if page.next_cursor is None:
            return
        query["cursor"] = page.next_cursor


async def _standing(client: Patient, board: Board, place: Place) -> int | None:
    query = {"season": place.season, **({"region": place.region} if place.region else {})}
    try:
        found = await client.call("GET", *_path(board), "players", place.player, query=query, answer=schema.Standing)
    except RequestRefused as error:
        if error.code in NOBODY:
            return None
        raise
    return int(found.score)


def _newest(ledger: Ledger) -> list[tuple[str, str]]:
    """The tables of the newest seasons: their names sort as they follow each other."""
    tables = sorted({place[:2] for place in ledger.standings})
    seasons = sorted({season for season, _ in tables})[-SEASONS:]
    return [table for table in tables if table[0] in seasons]


def _path(board: Board) -> tuple[str, ...]:
    return "apps", board.app.slug, "boards", board.slug


def _board(app: str, rules: schema.Board) -> Board:
    fields: dict[str, Any] = {name: getattr(rules, name) for name in rules.__struct_fields__}
    fields.update({name: int(fields[name]) for name in SCORES})
    return Board(**{**fields, "number": 0, "app": App(0, app, app), "regions": tuple(rules.regions)})
