"""The ranking port: a projection of the ledger's totals that answers rank queries."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class RankedEntry(NamedTuple):
    """A standing with its rank. `reached_at` is in microseconds since 1970."""

    rank: int
    player: str
    score: int
    reached_at: int


class RankChange(NamedTuple):
    """The ranks of a player after and before an update.

    `previous_rank` is None for a new player, and where it is unknown.
    """

    rank: int
    previous_rank: int | None


class Position(NamedTuple):
    """The state of a table: a growing `offset`, comparable only within its `epoch`."""

    epoch: str
    offset: int


class PlayerRank(NamedTuple):
    """A player's standing among all others. `row` counts from 0 in the total order.

    `ties` other players have the same score, and `worse` have a worse one. `next_score` is the nearest better score.
    """

    row: int
    entry: RankedEntry
    ties: int
    worse: int
    total: int
    next_score: int | None


class OrderKey(NamedTuple):
    """A point in the total order of a table. No standing has to be there."""

    score: int
    reached_at: int
    player: str


class Slice(NamedTuple):
    """Consecutive standings of a table at one instant, best first.

    `start` is the row of the first, counted from 0. `total` is the number of standings in the table. Where only the
    best are cached, it is the last known number.
    """

    position: Position
    total: int
    start: int
    rows: Sequence[RankedEntry]


class NotRanked(Exception):
    """A query that the ranking cannot answer now, for the reason `state`.

    The table is `warming` (being built) or `unavailable`, or the query is `out_of_range` of the cached part.
    """

    def __init__(self, state: RankState) -> None:
        super().__init__(state)
        self.state = state


class Ranking(Protocol):
    """Tables of standings in the total order of their board.

    Ranks start at 1 and follow the board's numbering. Every read shows one instant. It raises NotRanked rather than
    return a wrong rank. Ranks count standings, so a table without standings is ranked and empty.

    The writes `apply`, `remove` and `drop` raise Unavailable when the server fails. The write may still have been done,
    and repeating it is safe.
    """

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        """Replace the standings of players in a table.

        A standing that is not newer than the stored one, by version, is ignored. Return no rank changes unless
        `place`. Otherwise return those of all given players, except those outside the cached part. Raises NotRanked if
        the table is not ready. No standing is lost then, because the table will be built from the totals.
        """

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        """Remove a player's standing from a table, unless it is newer than `version`."""

    async def drop(self, board: Board) -> None:
        """Delete all tables of a board."""

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        """Return the standings in rows `start` (from 0) to `stop` (exclusive)."""

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        """Return at most `limit` standings strictly after a point in the total order."""

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        """Return a player and `radius` neighbours on each side.

        At the top and the bottom the window is shifted, not shortened. Return None for a player without a standing.
        """

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        """Return the rank of a player, or None without a standing."""

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        """Return the ranks of those of `players` that have a standing."""

    async def total(self, key: TableKey, board: Board) -> int: ...

    async def position(self, key: TableKey, board: Board) -> Position:
        """Return the state of a table. Reads at equal positions see equal standings."""


class LedgerTotals(Ranking, Protocol):
    """A read-only ranking on the ledger's totals: slower, and exact at all times.

    `apply` stores nothing and returns no previous ranks. `top` and `standings_of` serve a ranking that caches a part of
    each table. They show one instant at or after the start of the call, and raise Unavailable.
    """

    async def top(self, key: TableKey, board: Board, limit: int) -> Sequence[tuple[str, Standing]]:
        """Return the best standings of a table, best first."""

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]:
        """Return the standings of those of `players` that have one."""


class RankingCache(Protocol):
    """A ranking that may hold a part of each table, and reads the rest from totals."""

    async def cached_tables(self) -> Sequence[TableKey]:
        """Return the cached tables. Some may be added or evicted during the call."""

    async def cached_depth(self, key: TableKey, board: Board) -> int | None:
        """Return how many of the best are cached, None for all. Raises NotRanked."""

    async def evict(self, key: TableKey) -> None:
        """Remove a table from the cache."""

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        """Rebuild a table whose cached depth is far from the configured one.

        The table does not answer during the rebuild.
        """
