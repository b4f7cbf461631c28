"""The projection that answers with ranks: everything in it can be made again from the ledger's totals."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

RankState = Literal["exact", "warming", "unavailable"]


class Ranked(NamedTuple):
    """A standing with its rank. `reached_at` in microseconds since 1970."""

    rank: int
    player: str
    score: int
    reached_at: int


class Placed(NamedTuple):
    """Where an update took a player; the rank before is None for a new one."""

    rank: int
    previous_rank: int | None


class Position(NamedTuple):
    """The state of a table: `offset` grows with every change; nothing of one `epoch` compares with another."""

    epoch: str
    offset: int


class Details(NamedTuple):
    """A standing among the others: `ties` others have the same score, `worse` a worse one; `next_score` is the score
    of the nearest better one."""

    ranked: Ranked
    ties: int
    worse: int
    total: int
    next_score: int | None


class NotRanked(Exception):
    """The ranking cannot answer for this table now: it is `warming` (being made) or `unavailable`."""

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
    ) -> Mapping[str, Placed]:
        """Take absolute standings over; one that is not newer than the standing held is ignored (and still placed).
        Tells where each went, or nothing unless `place`. On NotRanked they are not lost: the table being made will
        have them."""
        ...

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        """Take a standing of this version, or an older one, out of a table; a newer one stays."""
        ...

    async def drop(self, board: Board) -> None:
        """Forget all tables of a board."""
        ...

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Sequence[Ranked]:
        """The standings at the places `start` to `stop` (from 0, exclusive), best first."""
        ...

    async def after(self, key: TableKey, board: Board, score: int, reached_at: int, player: str) -> int:
        """The place (from 0) of the first standing strictly after this key in the total order."""
        ...

    async def details(self, key: TableKey, board: Board, player: str) -> tuple[int, Details] | None:
        """A player's place (from 0) and details; None without a standing."""
        ...

    async def total(self, key: TableKey, board: Board) -> int: ...

    def position(self, key: TableKey) -> Position:
        """The state of the table, for caches and validators: the same position, the same standings."""
        ...
