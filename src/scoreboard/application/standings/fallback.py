"""FallbackRanking: exact but slower reads while the ranking is not available."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from scoreboard.application.ports.ranking import (
    NotRanked,
    OrderKey,
    PlayerRank,
    Position,
    RankChange,
    Ranking,
    Slice,
)
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

T = TypeVar("T")


class FallbackRanking:
    """A ranking whose reads use `second` while `first` raises NotRanked.

    Writes go to `first` only: `second` reads the totals, which contain them already.
    """

    def __init__(self, first: Ranking, second: Ranking) -> None:
        self._first = first
        self._second = second

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        return await self._first.apply(key, board, standings, place=place)

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        await self._first.remove(key, player, version)

    async def drop(self, board: Board) -> None:
        await self._first.drop(board)

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        return await self._read(lambda ranking: ranking.slice(key, board, start, stop))

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        return await self._read(lambda ranking: ranking.slice_after(key, board, after, limit))

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        return await self._read(lambda ranking: ranking.around(key, board, player, radius))

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        return await self._read(lambda ranking: ranking.get_rank(key, board, player))

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        return await self._read(lambda ranking: ranking.get_ranks(key, board, players))

    async def total(self, key: TableKey, board: Board) -> int:
        return await self._read(lambda ranking: ranking.total(key, board))

    async def position(self, key: TableKey, board: Board) -> Position:
        return await self._read(lambda ranking: ranking.position(key, board))

    async def _read(self, ask: Callable[[Ranking], Awaitable[T]]) -> T:
        try:
            return await ask(self._first)
        except NotRanked:
            return await ask(self._second)
