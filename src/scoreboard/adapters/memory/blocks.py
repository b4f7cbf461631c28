"""Sorted rows in flat arrays, split into blocks that are counted in groups."""

from __future__ import annotations  # array[int] is only for the type checker before Python 3.12

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

Block: TypeAlias = "tuple[array[int], ...]"

_GROUP_SHIFT = 5  # blocks are counted in groups of 32, so that a prefix sum at 1,000,000 rows adds about 60 numbers


class Blocks:
    """Sorted rows in blocks of parallel arrays, one array per column.

    The first column is the leading key. A separator stands between two blocks: no row of the left block is greater,
    and every row of the right block is. Separators change only when a block is split or merged. The last block has
    none, so a search among them always ends at a block. There is always at least one block, which may be empty.
    """

    __slots__ = ("_codes", "_groups", "_limit", "_rest", "_sizes", "blocks", "leads", "rests")

    def __init__(self, codes: str, limit: int, rest: Callable[[Block], tuple[object, ...]]) -> None:
        self._codes = codes  # array type of each column
        self._limit = limit  # rows of a full block
        self._rest = rest  # returns the key of a block's last row without its lead
        self.blocks: list[Block] = [tuple(array(code) for code in codes)]
        self.leads: list[int] = []  # separators, first column
        self.rests: list[tuple[object, ...]] = []  # separators, the other columns
        self._sizes = [0]
        self._groups = [0]  # sums of 2**_GROUP_SHIFT sizes each

    def before(self, b: int) -> int:
        """Count the rows in the blocks before block `b`."""
        group = b >> _GROUP_SHIFT
        return sum(self._groups[:group]) + sum(self._sizes[group << _GROUP_SHIFT : b])

    def rows_from(self, position: int) -> Iterator[tuple[Block, int]]:
        """Yield each block from `position` on, with the index of its first row."""
        b = 0
        for size in self._groups:
            if position < size:
                break
            position -= size
            b += 1 << _GROUP_SHIFT
        while b < len(self.blocks) and position >= self._sizes[b]:
            position -= self._sizes[b]
            b += 1
        for block in islice(self.blocks, b, None):
            yield block, position
            position = 0

    def lead(self, lead: int) -> tuple[int, int]:
        """Return block and index of the first row with at least this lead, or of the end."""
        b = bisect_left(self.leads, lead)
        return b, bisect_left(self.blocks[b][0], lead)

    def below(self, lead: int) -> int:
        """Count the rows with a smaller lead."""
        b, i = self.lead(lead)
        return self.before(b) + i

    def single(self, b: int, i: int) -> bool:
        """Return True if no other row has the lead of row `i` of block `b`."""
        leads = self.blocks[b][0]
        if 0 < i < len(leads) - 1:
            return leads[i - 1] != leads[i] != leads[i + 1]
        return self.below(leads[i] + 1) - self.below(leads[i]) == 1  # its neighbours may be in other blocks

    def add(self, lead: int) -> None:
        """Insert a lead unless it is present, if rows have a single column."""
        b, i = self.lead(lead)
        if i == self._sizes[b] or self.blocks[b][0][i] != lead:
            self.insert(b, i, (lead,))

    def fill(self, rows: Iterator[tuple[int, ...]]) -> None:
        """Load sorted rows into empty blocks, which are left with room to grow."""
        blocks: list[Block] = []
        while chunk := list(islice(rows, self._limit * 3 // 4)):
            blocks.append(tuple(map(array, self._codes, zip(*chunk, strict=True))))
        if blocks:
            self.blocks = blocks
            self.leads = [block[0][-1] for block in blocks[:-1]]
            self.rests = [self._rest(block) for block in blocks[:-1]]
            self._sizes = [len(block[0]) for block in blocks]
            self._regroup(0)

    def insert(self, b: int, i: int, row: tuple[int, ...]) -> bool:
        """Insert a row; return False if its block was split, which may have moved the row."""
        for column, value in zip(self.blocks[b], row):  # noqa: B905 - in every update: `strict` takes 0.2 µs
            column.insert(i, value)
        self._groups[b >> _GROUP_SHIFT] += 1
        self._sizes[b] += 1
        if self._sizes[b] <= self._limit:
            return True
        self._split(b)
        return False

    def delete(self, b: int, i: int) -> None:
        for column in self.blocks[b]:
            del column[i]
        self._groups[b >> _GROUP_SHIFT] -= 1
        self._sizes[b] -= 1
        if self._sizes[b] < self._limit >> 2 and len(self.blocks) > 1:
            self._merge(max(b - 1, 0))

    def _split(self, b: int) -> None:
        block = self.blocks[b]
        middle = len(block[0]) >> 1
        # Both halves are copies, because a shortened array keeps its memory.
        left, right = tuple(column[:middle] for column in block), tuple(column[middle:] for column in block)
        self.blocks[b : b + 1] = left, right
        self.leads.insert(b, left[0][-1])
        self.rests.insert(b, self._rest(left))
        self._sizes[b : b + 1] = middle, len(right[0])
        self._regroup(b)

    def _merge(self, b: int) -> None:
        """Join block `b` and the next one, and split the result if it is too long."""
        self.blocks[b : b + 2] = [tuple(left + right for left, right in zip(*self.blocks[b : b + 2], strict=True))]
        del self.leads[b], self.rests[b]
        self._sizes[b : b + 2] = [len(self.blocks[b][0])]
        if self._sizes[b] > self._limit:
            self._split(b)
        else:
            self._regroup(b)

    def _regroup(self, b: int) -> None:
        """Recompute the sums of the groups from block `b` on."""
        group, step, sizes = b >> _GROUP_SHIFT, 1 << _GROUP_SHIFT, self._sizes
        starts = range(group << _GROUP_SHIFT, len(sizes), step)
        self._groups[group:] = [sum(sizes[start : start + step]) for start in starts]
