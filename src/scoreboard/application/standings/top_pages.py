"""TopPages: a cache of encoded pages of the best standings."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from scoreboard.application.ports.ranking import NotRanked, Position
from scoreboard.application.standings.reads import Page, Reads, not_ranked
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey

T = TypeVar("T")

CAPACITY = 1_000  # pages


class _Cached(NamedTuple, Generic[T]):
    """A page, valid while its board and the validator of its table are the same."""

    board: Board
    validator: tuple[Position, int]
    encoded: T


class TopPages(Generic[T]):
    """A cache of at most `capacity` pages in the encoding of one contract.

    `encode` receives the board, the page and its version, a text that changes whenever the page does.
    """

    def __init__(self, reads: Reads, encode: Callable[[Board, Page, str], T], capacity: int = CAPACITY) -> None:
        self._reads = reads
        self._encode = encode
        self._capacity = capacity
        self._cached: OrderedDict[tuple[TableKey, int, str | None], _Cached[T]] = OrderedDict()

    async def get(self, board: Board, key: TableKey, limit: int | None, cursor: str | None) -> T:
        """Return the best `limit` standings, by default N, or those after a cursor.

        Raise Unavailable if the table is not ranked.
        """
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
        # The revision is read before the names, so that a rename in between invalidates the page.
        _, names = await self._reads.validator(key, board)
        page = await self._reads.top(board, key, limit, cursor)
        version = f"{page.position.epoch}-{page.position.offset}-{names}-{limit}"
        cached = _Cached(board, (page.position, names), self._encode(board, page, version))
        self._cached[key, limit, cursor] = cached
        if len(self._cached) > self._capacity:
            self._cached.popitem(last=False)
        return cached
