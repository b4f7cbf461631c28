"""The rank index: the standings of one table, always in their total order, in compact memory.

Everything lives in flat arrays rather than in one Python object per standing: about 80 bytes for a player and a
standing together, where dicts and tuples would take several hundred. Not safe for threads; one owner at a time.
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

_BLOCK_ROWS = 512  # a block is split beyond this: longer ones make inserts slow, shorter ones searches and sums
_PAGE_SHIFT = 7  # records are held in pages of 128 slots, so that a small table of a big app stays small
_PAGE_MASK = (1 << _PAGE_SHIFT) - 1
_RECORD = Struct("=3q")  # lead, time, mark
_RECORD_BYTES = _RECORD.size
_NO_RECORD = (0, 0, 0)
_NO_PAGE = bytearray(_RECORD_BYTES << _PAGE_SHIFT)  # stands for every page without records; never written to
_NOWHERE = (-1, 0, 0)
_PARTS = 128  # a load is sorted in about as many parts, to need little memory beside the index


class Surroundings(NamedTuple):
    """A standing among the others: its place (from 0), how many are strictly better and worse, and the nearest better
    score."""

    score: int
    reached_at: int
    position: int
    better: int
    worse: int
    next_score: int | None


class RankIndex:
    """The standings of one table in their total order, exact over all signed 64-bit scores and times.

    The order is by score, then by `reached_at` (any unit; the earliest or the latest first, or not at all when ties
    are shared), last by player id in UTF-8 byte order. Positions count from 0, the best standing.

    Versions (from 0, below 2**63 - 1) make updates safe to repeat and to reorder: a slot holds on to the greatest
    version seen, in `put` or in `remove`, and ignores what is not newer.

    `n` standings: every look-up takes O(log n + block + n / (block * group)), which at 1,000,000 is 2 to 5
    microseconds, and an update 5 to 10: the most where many tie in time as well, and ids have to be compared. A
    standing takes about 50 bytes, and with `dense` up to 11 more.
    """

    __slots__ = ("_blocks", "_count", "_distinct", "_flip", "_last", "_pages", "_players", "_time_flip", "_time_mask")

    def __init__(
        self,
        players: PlayerSlots,
        *,
        descending: bool,
        ties: Literal["earliest", "latest", "shared"],
        dense: bool = False,
        block_rows: int = _BLOCK_ROWS,
    ) -> None:
        """`dense` also keeps the distinct scores, for `better_scores`; `block_rows` (from 4) is there for tests."""
        self._players = players
        # Keys ascend in the index, so what has to descend is held as ~x: it reverses the order and, unlike -x, has
        # no overflow. x ^ -1 is ~x, and x ^ 0 is x.
        self._flip = -1 if descending else 0
        self._time_flip = -1 if ties == "latest" else 0
        self._time_mask = 0 if ties == "shared" else -1
        self._count = 0
        self._pages: list[bytearray] = []
        self._last = _NOWHERE  # the slot asked for last, its block and index; only while nothing moves
        self._blocks = Blocks("qbI" if ties == "shared" else "qqI", block_rows, partial(_rest, players))
        self._distinct = Blocks("q", block_rows, lambda _: ()) if dense else None

    def __len__(self) -> int:
        return self._count

    def __contains__(self, slot: int) -> bool:
        return self._record(slot)[2] > 0

    def get(self, slot: int) -> tuple[int, int, int] | None:
        """(score, reached_at, version) of a standing, None when there is none."""
        lead, time, mark = self._record(slot)
        return (lead ^ self._flip, time ^ self._time_flip, mark - 1) if mark > 0 else None

    def put(self, slot: int, score: int, reached_at: int, version: int) -> bool:
        """Set the standing of a slot. False, and no change, when `version` is not newer than the one held."""
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
            self._take_out(slot, old_lead, old_time)
        self._bring_in(slot, lead, time)
        return True

    def remove(self, slot: int, version: int) -> bool:
        """Take a standing out and remember `version`, so that an older `put` cannot bring it back.

        False when there was nothing to take out, or when `version` is not newer than the one held.
        """
        lead, time, mark = self._record(slot)
        if version < abs(mark):
            return False
        if mark == 0:
            self._check(slot)
        self._write(slot, 0, 0, -(version + 1))
        if mark <= 0:
            return False
        self._take_out(slot, lead, time)
        self._count -= 1
        return True

    def load(self, standings: Iterable[tuple[int, int, int, int]]) -> None:
        """Put many (slot, score, reached_at, version), in any order, into an index without standings.

        As `put` for each, but faster, with many ties more than twice, and with blocks better filled. It takes next
        to no memory beside the index. ValueError when there are standings; after any other error, drop the index.
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
        """The place of a standing in the total order, from 0; KeyError when there is none."""
        lead, time, mark = self._record(slot)
        if mark <= 0:
            raise KeyError(slot)
        b, i = self._place(slot, lead, time)
        return self._blocks.before(b) + i

    def surroundings(self, slot: int) -> Surroundings | None:
        """A standing among the others, None when there is none."""
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
        """How many standings have a strictly better score: the competition rank is one more."""
        return self._blocks.below(score ^ self._flip)

    def worse(self, score: int) -> int:
        """How many standings have a strictly worse score."""
        return self._count - self._blocks.below((score ^ self._flip) + 1)

    def better_scores(self, score: int) -> int:
        """How many distinct scores are strictly better: the dense rank is one more. ValueError unless `dense`."""
        if self._distinct is None:
            raise ValueError("this index does not keep the distinct scores")
        return self._distinct.below(score ^ self._flip)

    def slice(self, start: int, stop: int) -> list[int]:
        """The slots at the positions from `start` up to, but not including, `stop`, best first."""
        start = max(start, 0)
        wanted = max(min(stop, self._count) - start, 0)
        slots: list[int] = []
        for block, i in self._blocks.rows_from(start):
            if len(slots) >= wanted:
                break
            slots.extend(block[2][i : i + wanted - len(slots)])
        return slots

    def seek(self, score: int, reached_at: int, player: str) -> int:
        """The position of the first standing strictly after this key, which need not be present itself."""
        # Nothing lies between an id and the same id with a zero byte, so that is the first key after this one.
        b, i = self._find(-1, score ^ self._flip, reached_at ^ self._time_flip, player.encode() + b"\0")
        return self._blocks.before(b) + i

    def _sorted(self, slots: array[int]) -> Iterator[tuple[int, int, int]]:
        """The rows of `slots`, sorted part by part, with the borders between the parts taken from a sample."""
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

    def _take_out(self, slot: int, lead: int, time: int) -> None:
        b, i = self._place(slot, lead, time)
        if self._distinct is not None and self._blocks.single(b, i):
            self._distinct.delete(*self._distinct.lead(lead))
        self._blocks.delete(b, i)
        self._last = _NOWHERE

    def _bring_in(self, slot: int, lead: int, time: int) -> None:
        b, i = self._find(slot, lead, time)
        stays = self._blocks.insert(b, i, (lead, time & self._time_mask, slot))
        self._last = (slot, b, i) if stays else _NOWHERE
        if self._distinct is not None:
            self._distinct.add(lead)

    def _place(self, slot: int, lead: int, time: int) -> tuple[int, int]:
        """The block and index of a standing that is in the index; remembered, as it is often asked for again."""
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
        """The block and index where a row belongs that is not in the index; `utf8` stands in for a slot's own."""
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
        """The block for a key, when block `b` is the first that may end in this lead."""
        rests, time = self._blocks.rests, time & self._time_mask
        end = bisect_right(self._blocks.leads, lead, b)
        b = bisect_left(rests, (time,), b, end)
        if b == end or rests[b][0] != time:
            return b  # done without a look at the player's id
        return bisect_left(rests, (time, utf8 or self._players.utf8(slot)), b, end)

    def _record(self, slot: int) -> tuple[int, ...]:
        """The lead, time and mark of a slot.

        The mark is version + 1 of a standing, -(version + 1) of one taken out, 0 for a slot never seen.
        """
        page = slot >> _PAGE_SHIFT
        if 0 <= page < len(self._pages):
            return _RECORD.unpack_from(self._pages[page], (slot & _PAGE_MASK) * _RECORD_BYTES)
        return _NO_RECORD

    def _write(self, slot: int, lead: int, time: int, mark: int) -> None:
        record = _RECORD.pack(lead, time, mark)  # struct.error, before any change, for what has no place in 64 bits
        pages, page, at = self._pages, slot >> _PAGE_SHIFT, (slot & _PAGE_MASK) * _RECORD_BYTES
        while page >= len(pages):
            pages.append(_NO_PAGE)
        if pages[page] is _NO_PAGE:
            pages[page] = _NO_PAGE[:]
        pages[page][at : at + _RECORD_BYTES] = record


def _rest(players: PlayerSlots, block: Block) -> tuple[object, ...]:
    # No method: a table that is set aside is freed at once, as long as nothing in it leads back to itself.
    return block[1][-1], bytes(players.utf8(block[2][-1]))


def _equal(column: array[int], value: int, start: int, end: int) -> tuple[int, int]:
    """The part of column[start:end], which is sorted, that equals `value`."""
    start = bisect_left(column, value, start, end)
    if start == end or column[start] != value:
        return start, start
    if start + 1 == end or column[start + 1] != value:
        return start, start + 1  # the usual case, without a search
    return start, bisect_right(column, value, start, end)
