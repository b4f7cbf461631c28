"""Reads of a board. Each is of one instant of the ranking, with names joined to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoreboard.application.live.hub import TopNow
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import Details, NotRanked, Placed, Position, Ranked, Ranking, RankState
from scoreboard.application.queries.cursors import Cursor, Cursors
from scoreboard.application.queries.names import Names
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Invalid, NotFound
from scoreboard.domain.season import check_name, season_at
from scoreboard.domain.submission import WORLD, TableKey
from scoreboard.domain.top import Line

MAX_LIMIT = 1_000
MAX_RADIUS = 100
MAX_PLAYERS = 200
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Page:
    key: TableKey
    position: Position
    total: int
    lines: list[Line]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A player's standing, without the name: who asks for one player's knows it. `details` is None while the ranking
    cannot say; `rank_state` tells why."""

    key: TableKey
    player: str
    score: int
    reached_at: int
    rank_state: RankState
    details: Details | None


class Reads:
    def __init__(
        self, directory: Directory, ledger: Ledger, ranking: Ranking, names: Names, cursors: Cursors, clock: Clock
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self._names = names
        self._cursors = cursors
        self._clock = clock

    def table(self, board: Board, season: str | None, region: str | None) -> TableKey:
        """The table meant: the current season and the world unless named. Raises Invalid or NotFound."""
        if season in {None, CURRENT}:
            name = season_at(board.period, board.time_zone, self._clock()).name
        else:
            name = check_name(board.period, season or "")
        if region is not None and region not in board.regions:
            raise NotFound("region_not_found", "this board has no such region")
        return TableKey(board.number, name, region or WORLD)

    def validator(self, key: TableKey) -> tuple[Position, int]:
        """As long as this does not change, a page of this table reads the same."""
        return self._ranking.position(key), self._names.revision

    async def top(self, board: Board, key: TableKey, limit: int, cursor: str | None) -> Page:
        """The best `limit` standings, or those after a cursor."""
        _check_range("limit", limit, 1, MAX_LIMIT)
        after = None if cursor is None else self._cursors.open(cursor, key)
        start = (
            0 if after is None else await self._ranking.after(key, board, after.score, after.reached_at, after.player)
        )
        total = await self._ranking.total(key, board)
        position = self._ranking.position(key)
        ranked = await self._ranking.slice(key, board, start, start + limit)
        last = ranked[-1] if ranked and start + len(ranked) < total else None
        next_cursor = (
            None if last is None else self._cursors.seal(Cursor(key, last.score, last.reached_at, last.player))
        )
        return Page(key, position, total, await self._lines(board, ranked), next_cursor)

    async def live_top(self, board: Board, season: str | None, region: str) -> TopNow:
        """The live top N, with the board as it is now."""
        board = await self._directory.board(board.app.app, board.board)
        key = self.table(board, season, region or None)
        total = await self._ranking.total(key, board)
        ranked = await self._ranking.slice(key, board, 0, board.top_n)
        return TopNow(board, key.season, total, self._clock(), await self._lines(board, ranked))

    async def place(self, board: Board, key: TableKey, player: str) -> Place:
        """Raises NotFound for an unknown player, and for one without a standing in this table."""
        try:
            found = await self._ranking.details(key, board, player)
        except NotRanked as error:
            return await self._unranked_place(board, key, player, error.state)
        if found is None:
            raise await self._no_standing(board, player)
        _, details = found
        return Place(key, player, details.ranked.score, details.ranked.reached_at, "exact", details)

    async def placed(self, board: Board, key: TableKey, player: str) -> tuple[Placed | None, RankState]:
        """A player's rank as it is now, for the answer to a repeated update."""
        try:
            found = await self._ranking.details(key, board, player)
        except NotRanked as error:
            return None, error.state
        return (None if found is None else Placed(found[1].ranked.rank, None)), "exact"

    async def around(self, board: Board, key: TableKey, player: str, radius: int) -> Page:
        """The player and `radius` neighbours on each side; at the top and the bottom the window is shifted, not cut."""
        _check_range("radius", radius, 1, MAX_RADIUS)
        found = await self._ranking.details(key, board, player)
        if found is None:
            raise await self._no_standing(board, player)
        place, details = found
        position = self._ranking.position(key)
        start = max(0, min(place - radius, details.total - (2 * radius + 1)))
        ranked = await self._ranking.slice(key, board, start, start + 2 * radius + 1)
        return Page(key, position, details.total, await self._lines(board, ranked))

    async def several(self, board: Board, key: TableKey, players: Sequence[str]) -> tuple[list[Line], list[str]]:
        """The standings of a set of players, best first, and those who have none."""
        _check_range("players", len(players), 1, MAX_PLAYERS)
        places = {player: await self._ranking.details(key, board, player) for player in dict.fromkeys(players)}
        found = sorted(place for place in places.values() if place is not None)
        missing = [player for player, place in places.items() if place is None]
        return await self._lines(board, [details.ranked for _, details in found]), missing

    async def _lines(self, board: Board, ranked: Sequence[Ranked]) -> list[Line]:
        names = await self._names.of(board.app, [one.player for one in ranked])
        return [
            Line(
                one.rank,
                one.player,
                names[one.player].username,
                names[one.player].avatar_url,
                one.score,
                one.reached_at,
            )
            for one in ranked
        ]

    async def _unranked_place(self, board: Board, key: TableKey, player: str, state: RankState) -> Place:
        standing = await self._ledger.standing(key, board.app, player)
        if standing is None:
            raise await self._no_standing(board, player)
        return Place(key, player, standing.score, standing.reached_at, state, None)

    async def _no_standing(self, board: Board, player: str) -> NotFound:
        if await self._directory.find_players(board.app, [player]):
            return NotFound("standing_not_found", "this player has no standing here")
        return NotFound("player_not_found", "there is no such player")


def _check_range(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Invalid(f"invalid_{what}", f"{what} is {low} to {high}")
