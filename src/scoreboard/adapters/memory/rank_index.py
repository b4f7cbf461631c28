"""Rank index: the standings of one table in their total order, in compact memory.

Flat arrays take about 80 bytes for a player and a standing together, where dicts and tuples would take several hundred.
The index is not thread-safe.
"""

from __future__ import annotations  # array[int] is only for the type checker before Python 3.12

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, groupby
from struct import Struct
from typing import Literal, NamedTuple

from scoreboard.adapters.memory.blocks import Block, Blocks
from scoreboard.adapters.memory.player_slots import PlayerSlots, index_of

_BLOCK_ROWS = 512  # of a full block; longer blocks slow down inserts, shorter ones searches and sums
_PAGE_SHIFT = 7  # records are in pages of 128 slots, so that a small table of a big app stays small
_PAGE_MASK = (1 << _PAGE_SHIFT) - 1
_RECORD = Struct("=3q")  # lead, time, mark
_RECORD_BYTES = _RECORD.size
_NO_RECORD = (0, 0, 0)
_NO_PAGE = bytearray(_RECORD_BYTES << _PAGE_SHIFT)  # shared by all pages without records, never written
_NOWHERE = (-1, 0, 0)
_PARTS = 128  # of a load, which are sorted one by one to save memory


class Surroundings(NamedTuple):
    """A standing, its position (from 0), and the counts of better and worse ones."""

    score: int
    reached_at: int
    position: int
    better: int
    worse: int
    next_score: int | None  # the nearest better one


class RankIndex:
    """Standings of one table in their total order, exact over signed 64-bit integers.

    The order is by score, then by `reached_at`, then by player id in UTF-8 byte order. `reached_at` may have any unit;
    the earliest or the latest comes first, and it is ignored when ties are shared. Positions count from 0, the best.

    Versions (from 0, below 2**63 - 1) make updates safe to repeat and to reorder. A slot keeps the greatest version
    seen in `put` or `remove`, and ignores updates that are not newer.

    With `n` standings, a look-up takes O(log n + block + n / (block * group)): 2 to 5 microseconds at 1,000,000. An
    update takes 5 to 10, the most where times tie too and ids are compared. A standing takes about 50 bytes, and with
    `dense` up to 11 more.
    """

    __slots__ = ("_blocks", "_count", "_distinct", "_flip", "_last", "_pages", "_players", "_time_flip", "_time_mask")

    def __init__(
        self,
        players: PlayerSlots,
        *,
        descending: bool,
        ties: Literal["earliest", "latest", "shared"],
        dense: bool = False,  # also keep the distinct scores, for `better_scores`
        block_rows: int = _BLOCK_ROWS,  # at least 4; tests use few
    ) -> None:
        self._players = players
        # Keys ascend in the index, so a descending one is stored as ~x, which is x ^ -1. Unlike -x, it cannot overflow.
        self._flip = -1 if descending else 0
        self._time_flip = -1 if ties == "latest" else 0
        self._time_mask = 0 if ties == "shared" else -1
        self._count = 0
        self._pages: list[bytearray] = []
        self._last = _NOWHERE  # the last slot searched, its block and index; valid until a row moves
        self._blocks = Blocks("qbI" if ties == "shared" else "qqI", block_rows, partial(_rest, players))
        self._distinct = Blocks("q", block_rows, lambda _: ()) if dense else None

    def __len__(self) -> int:
        return self._count

    def __contains__(self, slot: int) -> bool:
        return self._record(slot)[2] > 0

    def get(self, slot: int) -> tuple[int, int, int] | None:
        """Return (score, reached_at, version) of a standing, or None."""
        lead, time, mark = self._record(slot)
        return (lead ^ self._flip, time ^ self._time_flip, mark - 1) if mark > 0 else None

    def put(self, slot: int, score: int, reached_at: int, version: int) -> bool:
        """Set the standing of a slot; return False if `version` is not newer."""
        old_lead, old_time, mark = self._record(slot)
        if version < abs(mark):
            return False
        if mark == 0:
            self._check(slot)
        lead, time = score ^ self._flip, reached_at ^ self._time_flip
        self._write(slot, lead, time, version + 1)
        if mark <= 0:
            self._count += 1
        elif lead == old_lead and (time ^ old_time) & self._time_mask == 0:
            return True
        else:
            self._delete_row(slot, old_lead, old_time)
        self._insert_row(slot, lead, time)
        return True

    def remove(self, slot: int, version: int) -> bool:
        """Remove a standing, and keep `version` so that an older `put` cannot restore it.

        Returns False if there is no standing, or if `version` is not newer.
        """
        lead, time, mark = self._record(slot)
        if version < abs(mark):
            return False
        if mark == 0:
            self._check(slot)
        self._write(slot, 0, 0, -(version + 1))
        if mark <= 0:
            return False
        self._delete_row(slot, lead, time)
        self._count -= 1
        return True

    def load(self, standings: Iterable[tuple[int, int, int, int]]) -> None:
        """Load (slot, score, reached_at, version) in any order into an empty index.

        The result is that of a `put` for each, but faster, more than twice with many ties, and with fuller blocks. It
        needs almost no additional memory. ValueError if the index has standings; after any other error, drop it.
        """
        if self._count:
            raise ValueError("only an index without standings can be loaded")
        slots = array("I")
        for slot, score, reached_at, version in standings:
            mark = self._record(slot)[2]
            if version < abs(mark):
                continue
            if mark <= 0:
                self._check(slot)
                slots.append(slot)
            self._write(slot, score ^ self._flip, reached_at ^ self._time_flip, version + 1)
        self._count = len(slots)
        self._last = _NOWHERE
        self._blocks.fill(self._sorted(slots))
        if self._distinct is not None:
            leads = chain.from_iterable(block[0] for block in self._blocks.blocks)
            self._distinct.fill((lead,) for lead, _ in groupby(leads))

    def position(self, slot: int) -> int:
        """Return the position of a standing, from 0; KeyError if there is none."""
        lead, time, mark = self._record(slot)
        if mark <= 0:
            raise KeyError(slot)
        b, i = self._place(slot, lead, time)
        return self._blocks.before(b) + i

    def surroundings(self, slot: int) -> Surroundings | None:
        lead, time, mark = self._record(slot)
        if mark <= 0:
            return None
        score, reached_at = lead ^ self._flip, time ^ self._time_flip
        b, i = self._place(slot, lead, time)
        leads = self._blocks.blocks[b][0]
        before = self._blocks.before(b)
        first, end = bisect_left(leads, lead, 0, i), bisect_right(leads, lead, i)
        if first and end < len(leads):  # equal scores are in this block alone: no further search
            worse = self._count - before - end
            return Surroundings(score, reached_at, before + i, before + first, worse, leads[first - 1] ^ self._flip)
        better, worse = self._blocks.below(lead), self._count - self._blocks.below(lead + 1)
        next_score = None
        if better:
            (neighbour,) = self.slice(better - 1, better)
            next_score = self._record(neighbour)[0] ^ self._flip
        return Surroundings(score, reached_at, before + i, better, worse, next_score)

    def better(self, score: int) -> int:
        """Count the standings with a better score, one less than the competition rank."""
        return self._blocks.below(score ^ self._flip)

    def worse(self, score: int) -> int:
        """Count the standings with a worse score."""
        return self._count - self._blocks.below((score ^ self._flip) + 1)

    def better_scores(self, score: int) -> int:
        """Count the better distinct scores, one less than the dense rank."""
        if self._distinct is None:
            raise ValueError("this index does not keep the distinct scores")
        return self._distinct.below(score ^ self._flip)

    def slice(self, start: int, stop: int) -> list[int]:
        """Return the slots at the positions from `start` to before `stop`, best first."""
        start = max(start, 0)
        wanted = max(min(stop, self._count) - start, 0)
        slots: list[int] = []
        for block, i in self._blocks.rows_from(start):
            if len(slots) >= wanted:
                break
            slots.extend(block[2][i : i + wanted - len(slots)])
        return slots

    def seek(self, score: int, reached_at: int, player: str) -> int:
        """Return the position of the first standing after a key, which may be absent."""
        # An id with an appended zero byte is the next possible id.
        b, i = self._find(-1, score ^ self._flip, reached_at ^ self._time_flip, player.encode() + b"\0")
        return self._blocks.before(b) + i

    def _sorted(self, slots: array[int]) -> Iterator[tuple[int, int, int]]:
        """Yield sorted rows, part by part; a sample gives the borders of the parts."""
        sample = sorted(map(self._full_key, slots[:: len(slots) // (16 * _PARTS) or 1]))
        borders = sample[:: len(sample) // _PARTS or 1]
        parts = [array("I") for _ in range(len(borders) + 1)]
        for slot in slots:
            parts[bisect_right(borders, self._full_key(slot))].append(slot)
        for part in parts:
            for lead, time, _, slot in sorted([(*self._full_key(slot), slot) for slot in part]):
                yield lead, time, slot

    def _full_key(self, slot: int) -> tuple[int, int, bytearray]:
        lead, time, _ = self._record(slot)
        return lead, time & self._time_mask, self._players.utf8(slot)

    def _check(self, slot: int) -> None:
        if not 0 <= slot < len(self._players):
            raise IndexError(slot)

    def _delete_row(self, slot: int, lead: int, time: int) -> None:
        b, i = self._place(slot, lead, time)
        if self._distinct is not None and self._blocks.single(b, i):
            self._distinct.delete(*self._distinct.lead(lead))
        self._blocks.delete(b, i)
        self._last = _NOWHERE

    def _insert_row(self, slot: int, lead: int, time: int) -> None:
        b, i = self._find(slot, lead, time)
        stays = self._blocks.insert(b, i, (lead, time & self._time_mask, slot))
        self._last = (slot, b, i) if stays else _NOWHERE
        if self._distinct is not None:
            self._distinct.add(lead)

    def _place(self, slot: int, lead: int, time: int) -> tuple[int, int]:
        """Return block and index of a present standing, and cache them for the next call."""
        if self._last[0] != slot:
            index = self._blocks
            b = bisect_left(index.leads, lead)
            if b < len(index.leads) and index.leads[b] == lead:
                b = self._tied_block(b, slot, lead, time)
            leads, _, slots = index.blocks[b]
            i = bisect_left(leads, lead)
            self._last = slot, b, i if slots[i] == slot else index_of(slots, slot)
        return self._last[1], self._last[2]

    def _find(self, slot: int, lead: int, time: int, utf8: bytes | None = None) -> tuple[int, int]:
        """Return block and index for an absent row; `utf8` replaces the id of the slot."""
        index = self._blocks
        b = bisect_left(index.leads, lead)
        if b < len(index.leads) and index.leads[b] == lead:
            b = self._tied_block(b, slot, lead, time, utf8)
        leads, times, slots = index.blocks[b]
        i = bisect_left(leads, lead)
        if i == len(leads) or leads[i] != lead:
            return b, i
        i, end = _equal(times, time & self._time_mask, i, bisect_right(leads, lead, i))
        if i == end:
            return b, i
        return b, self._players.bisect(slots, utf8 or self._players.utf8(slot), i, end)

    def _tied_block(self, b: int, slot: int, lead: int, time: int, utf8: bytes | None = None) -> int:
        """Return the block for a key; `b` is the first block that may end in its lead."""
        rests, time = self._blocks.rests, time & self._time_mask
        end = bisect_right(self._blocks.leads, lead, b)
        b = bisect_left(rests, (time,), b, end)
        if b == end or rests[b][0] != time:
            return b  # without a comparison of ids
        return bisect_left(rests, (time, utf8 or self._players.utf8(slot)), b, end)

    def _record(self, slot: int) -> tuple[int, ...]:
        """Return the lead, time and mark of a slot.

        The mark is version + 1 of a standing, -(version + 1) of a removed one, and 0 of an unknown slot.
        """
        page = slot >> _PAGE_SHIFT
        if 0 <= page < len(self._pages):
            return _RECORD.unpack_from(self._pages[page], (slot & _PAGE_MASK) * _RECORD_BYTES)
        return _NO_RECORD

    def _write(self, slot: int, lead: int, time: int, mark: int) -> None:
        record = _RECORD.pack(lead, time, mark)  # struct.error, before any change, beyond 64 bits
        pages, page, at = self._pages, slot >> _PAGE_SHIFT, (slot & _PAGE_MASK) * _RECORD_BYTES
        while page >= len(pages):
            pages.append(_NO_PAGE)
        if pages[page] is _NO_PAGE:
            pages[page] = _NO_PAGE[:]
        pages[page][at : at + _RECORD_BYTES] = record


def _rest(players: PlayerSlots, block: Block) -> tuple[object, ...]:
    # This is no method, because an evicted table is freed at once only if it has no reference cycle.
    return block[1][-1], bytes(players.utf8(block[2][-1]))


def _equal(column: array[int], value: int, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of `value` in the sorted column[start:end]."""
    start = bisect_left(column, value, start, end)
    if start == end or column[start] != value:
        return start, start
    if start + 1 == end or column[start + 1] != value:
        return start, start + 1  # the usual case, without a search
    return start, bisect_right(column, value, start, end)
