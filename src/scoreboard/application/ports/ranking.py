"""The projection that answers with ranks: everything in it can be made again from the ledger's totals."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class RankedEntry(NamedTuple):
    """A standing with its rank. `reached_at` in microseconds since 1970."""

    rank: int
    player: str
    score: int
    reached_at: int


class RankChange(NamedTuple):
    """Where an update took a player; the rank before is None for a new one."""

    rank: int
    previous_rank: int | None


class Position(NamedTuple):
    """The state of a table: `offset` grows with every change; nothing of one `epoch` compares with another."""

    epoch: str
    offset: int


class PlayerRank(NamedTuple):
    """A standing among the others, at `place` (from 0) in the total order: `ties` others have the same score, `worse` a
    worse one; `next_score` is the score of the nearest better one."""

    row: int
    entry: RankedEntry
    ties: int
    worse: int
    total: int
    next_score: int | None


class OrderKey(NamedTuple):
    """A point in the total order of a table, where a standing is, was, or would be."""

    score: int
    reached_at: int
    player: str


class Slice(NamedTuple):
    """Standings at consecutive places, best first, all of one instant: `start` is the place (from 0) of the first,
    `total` how many the table has; where only the best are kept, how many it had when they were last counted."""

    position: Position
    total: int
    start: int
    rows: Sequence[RankedEntry]


class NotRanked(Exception):
    """The ranking cannot answer for this table now: it is `warming` (being made) or `unavailable`. Or what is asked for
    is `out_of_range` the part that it keeps."""

    def __init__(self, state: RankState) -> None:
        super().__init__(state)
        self.state = state


class Ranking(Protocol):
    """Tables of standings in the total order that their board declares; ranks from 1 by the board's numbering.

    Every read is of one instant, and raises NotRanked rather than give a rank that is wrong. Ranks count standings,
    so a table that has none is ranked and empty.
    """

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        """Take absolute standings over; one that is not newer than the standing held is ignored (and still placed).
        Tells where each went, but for those beyond what is kept; or nothing unless `place`. On NotRanked they are not
        lost: the table being made will have them."""
        ...

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        """Take a standing of this version, or an older one, out of a table; a newer one stays."""
        ...

    async def drop(self, board: Board) -> None:
        """Forget all tables of a board."""
        ...

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        """The standings at the places `start` to `stop` (from 0, exclusive), best first."""
        ...

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        """At most `limit` standings strictly after a point of the total order."""
        ...

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        """The player and `radius` neighbours on each side; at the top and the bottom the window is shifted, not cut.
        None without a standing."""
        ...

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        """A player's standing among the others; None without one."""
        ...

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        """Those of `players` that have a standing."""
        ...

    async def total(self, key: TableKey, board: Board) -> int: ...

    async def position(self, key: TableKey, board: Board) -> Position:
        """The state of the table, for caches and validators: the same position, the same standings."""
        ...


class LedgerTotals(Ranking, Protocol):
    """A ranking read from the ledger's totals: slower, and exact while every other is down. Nothing is applied to it.

    `best` and `of_players` are for a ranking that keeps a part of each table. Each read is of one instant, not before
    the call, and raises Unavailable; `total` raises NotRanked.
    """

    async def top(self, key: TableKey, board: Board, most: int) -> Sequence[tuple[str, Standing]]:
        """The best standings of a table, best first."""
        ...

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]:
        """The standings of those of `players` that have one."""
        ...


class RankingCache(Protocol):
    """A ranking that need not keep everything: the rest is read from the totals."""

    async def cached_tables(self) -> Sequence[TableKey]:
        """The tables of which anything is kept; those that come or go meanwhile may be among them."""
        ...

    async def cached_depth(self, key: TableKey, board: Board) -> int | None:
        """How many of the best of a table are kept; None when all are. Raises NotRanked."""
        ...

    async def evict(self, key: TableKey) -> None:
        """Keep nothing of a table."""
        ...

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        """Make a table anew that keeps far less than it is to keep, or far more. It does not answer meanwhile."""
        ...
