"""TopPages: pages of the best standings in the encoding of a contract, each encoded once per version."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from scoreboard.application.ports.ranking import NotRanked, Position
from scoreboard.application.standings.reads import Page, Reads, not_ranked
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey

T = TypeVar("T")

CAPACITY = 1_000


class _Cached(NamedTuple, Generic[T]):
    """A page that is valid while its board and its table's validator are these."""

    board: Board
    validator: tuple[Position, int]
    encoded: T


class TopPages(Generic[T]):
    """`encode` is given the board, the page and its version: a text that differs whenever the page may."""

    def __init__(self, reads: Reads, encode: Callable[[Board, Page, str], T]) -> None:
        self._reads = reads
        self._encode = encode
        self._cached: OrderedDict[tuple[TableKey, int, str | None], _Cached[T]] = OrderedDict()

    async def get(self, board: Board, key: TableKey, limit: int | None, cursor: str | None) -> T:
        """The best `limit` standings of a table, those of the board's top N by default, or those after a cursor."""
        if limit is None:
            limit = board.top_n
        try:
            cached = self._cached.get((key, limit, cursor))
            if (
                cached is None
                or cached.board is not board
                or cached.validator != await self._reads.validator(key, board)
            ):
                cached = await self._read(board, key, limit, cursor)
        except NotRanked as error:
            raise not_ranked(error) from error
        return cached.encoded

    async def _read(self, board: Board, key: TableKey, limit: int, cursor: str | None) -> _Cached[T]:
        # The revision of the names is taken before they are read: a rename in between invalidates the page at once.
        _, names = await self._reads.validator(key, board)
        page = await self._reads.top(board, key, limit, cursor)
        version = f"{page.position.epoch}-{page.position.offset}-{names}-{limit}"
        cached = _Cached(board, (page.position, names), self._encode(board, page, version))
        self._cached[key, limit, cursor] = cached
        if len(self._cached) > CAPACITY:
            self._cached.popitem(last=False)
        return cached
