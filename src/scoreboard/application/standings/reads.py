"""Reads: the standings of a board, with the names of the players."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoreboard.application.identity.authorization import authorize_read
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import (
    NotRanked,
    OrderKey,
    PlayerRank,
    Position,
    RankChange,
    RankedEntry,
    Ranking,
    RankState,
    Slice,
)
from scoreboard.application.standings.cursors import Cursor, Cursors
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.codes import Code
from scoreboard.domain.errors import Invalid, NotFound, Unavailable
from scoreboard.domain.season import check_name, season_at
from scoreboard.domain.submission import WORLD, TableKey
from scoreboard.domain.top import Line, TopSnapshot

MAX_LIMIT = 1_000
MAX_RADIUS = 100
MAX_PLAYERS = 200
CURRENT = "current"


@dataclass(slots=True)
class Page:
    """Consecutive standings of a table, best first."""

    key: TableKey
    position: Position
    total: int  # of the table
    lines: list[Line]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PlayerStanding:
    """The standing of one player, without the name. The score is always exact."""

    key: TableKey
    player: str
    score: int
    reached_at: int  # in microseconds since 1970
    rank_state: RankState
    details: PlayerRank | None  # None while the ranking cannot answer, for the reason in `rank_state`

    @property
    def percentile(self) -> float | None:
        """The percentage of the other players that have a worse score."""
        if self.details is None:
            return None
        others = self.details.total - 1
        return round(100 * self.details.worse / others, 2) if others else 100.0

    @property
    def gap_to_next(self) -> int | None:
        """The number of points to the nearest better score, or None for the best."""
        if self.details is None or self.details.next_score is None:
            return None
        return abs(self.details.next_score - self.score)


class Reads:
    """The use cases that read standings. Each read is of one instant of the ranking."""

    def __init__(
        self, directory: Directory, ledger: Ledger, ranking: Ranking, names: PlayerCache, cursors: Cursors, clock: Clock
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self.names = names
        self._cursors = cursors
        self._clock = clock

    async def open(
        self, principal: Principal | None, app: str, board_id: str, season: str | None, region: str | None
    ) -> tuple[Board, TableKey]:
        """Return a board that the principal may read, and one of its tables; see `table`.

        Raise NotFound, Invalid, Unauthenticated or Forbidden.
        """
        board = await self._directory.board(app, board_id)
        authorize_read(principal, board)
        return board, self.table(board, season, region)

    def table(self, board: Board, season: str | None, region: str | None) -> TableKey:
        """Return a table: of the current season and of the world unless named.

        Raise Invalid for a malformed season, NotFound for an unknown region.
        """
        if season in {None, CURRENT}:
            name = season_at(board.period, board.time_zone, self._clock()).name
        else:
            name = check_name(board.period, season or "")
        if region is not None and region not in board.regions:
            raise codes.REGION_NOT_FOUND.error("this board has no such region")
        return TableKey(board.pk, name, region or WORLD)

    async def validator(self, key: TableKey, board: Board) -> tuple[Position, int]:
        """Return a value that is equal as long as a page of the table is the same."""
        return await self._ranking.position(key, board), self.names.revision

    async def top(self, board: Board, key: TableKey, limit: int, cursor: str | None) -> Page:
        """Return the best `limit` standings, or those after a cursor. Raise NotRanked."""
        _check_range(limit, 1, MAX_LIMIT, codes.INVALID_LIMIT)
        if cursor is None:
            found = await self._ranking.slice(key, board, 0, limit)
        else:
            last = self._cursors.decode(cursor, key)
            after = OrderKey(last.score, last.reached_at, last.player)
            found = await self._ranking.slice_after(key, board, after, limit)
        page = await self._page(board, key, found)
        if found.rows and found.start + len(found.rows) < found.total:
            bottom = found.rows[-1]
            page.next_cursor = self._cursors.encode(Cursor(key, bottom.score, bottom.reached_at, bottom.player))
        return page

    async def _page(self, board: Board, key: TableKey, found: Slice) -> Page:
        return Page(key, found.position, found.total, await self._lines(board, found.rows))

    async def live_top(self, board: Board, season: str | None, region: str) -> TopSnapshot:
        """Return the top N with the newest version of the board. Raise NotRanked."""
        board = await self._directory.board(board.app.slug, board.slug)
        key = self.table(board, season, region or None)
        found = await self._ranking.slice(key, board, 0, board.top_n)
        return TopSnapshot(
            board, found.position.epoch, key.season, found.total, self._clock(), await self._lines(board, found.rows)
        )

    async def get_standing(self, board: Board, key: TableKey, player: str) -> PlayerStanding:
        """Return the standing of a player.

        While the ranking cannot answer, the totals do. Raise NotFound for an unknown player or no standing.
        """
        try:
            found = await self._ranking.get_rank(key, board, player)
        except NotRanked as error:
            return await self._unranked_standing(board, key, player, error.state)
        if found is None:
            raise await self._not_found(board, player)
        return PlayerStanding(key, player, found.entry.score, found.entry.reached_at, "exact", found)

    async def get_rank(self, board: Board, key: TableKey, player: str) -> tuple[RankChange | None, RankState]:
        """Return the current rank of a player, for the response to a replayed update."""
        try:
            found = await self._ranking.get_rank(key, board, player)
        except NotRanked as error:
            return None, error.state
        return (None if found is None else RankChange(found.entry.rank, None)), "exact"

    async def around(self, board: Board, key: TableKey, player: str, radius: int) -> Page:
        """Return the standings of a player and of `radius` neighbours on each side.

        At both ends of the table the window is shifted, not cut. Raise Unavailable if it is not ranked.
        """
        _check_range(radius, 1, MAX_RADIUS, codes.INVALID_RADIUS)
        try:
            found = await self._ranking.around(key, board, player, radius)
        except NotRanked as error:
            raise not_ranked(error) from error
        if found is None:
            raise await self._not_found(board, player)
        return await self._page(board, key, found)

    async def get_standings(self, board: Board, key: TableKey, players: Sequence[str]) -> tuple[list[Line], list[str]]:
        """Return the standings of a set of players, best first, and who has none.

        Raise Unavailable if the table is not ranked.
        """
        _check_range(len(players), 1, MAX_PLAYERS, codes.INVALID_PLAYERS)
        wanted = dict.fromkeys(players)
        try:
            found = await self._ranking.get_ranks(key, board, wanted)
        except NotRanked as error:
            raise not_ranked(error) from error
        best_first = sorted(found.values())  # by the first field, the row in the table
        missing = [player for player in wanted if player not in found]
        return await self._lines(board, [details.entry for details in best_first]), missing

    async def _lines(self, board: Board, ranked: Sequence[RankedEntry]) -> list[Line]:
        names = await self.names.get(board.app, [one.player for one in ranked])
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

    async def _unranked_standing(self, board: Board, key: TableKey, player: str, state: RankState) -> PlayerStanding:
        standing = await self._ledger.standing(key, board.app, player)
        if standing is None:
            raise await self._not_found(board, player)
        return PlayerStanding(key, player, standing.score, standing.reached_at, state, None)

    async def _not_found(self, board: Board, player: str) -> NotFound:
        if await self._directory.find_players(board.app, [player]):
            return codes.STANDING_NOT_FOUND.error("this player has no score in this season and region")
        return codes.PLAYER_NOT_FOUND.error("there is no such player")


def not_ranked(error: NotRanked) -> Unavailable:
    """Return the error that a client gets for a table that is not ranked."""
    code = codes.RANKING_WARMING if error.state == "warming" else codes.RANKING_UNAVAILABLE
    state = "being loaded" if error.state == "warming" else error.state
    return code.error(f"the ranking is {state}; retry in a second", retry_after_s=1)


def _check_range(value: int, low: int, high: int, code: Code[Invalid]) -> None:
    if not low <= value <= high:
        raise code.error(f"{code.name.removeprefix('invalid_')} must be from {low} to {high:,}")
