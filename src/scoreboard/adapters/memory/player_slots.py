"""The players of one app as small numbers, so that everything else can hold a number in place of an id."""

from __future__ import annotations  # array[int] is only for the type checker before Python 3.12

from array import array
from struct import Struct

_SLOT = Struct("=I")


class PlayerSlots:
    """The player ids of one app, each with a small dense number, its slot: 0, 1, 2, ... in order of arrival.

    A slot is for ever: players are never taken out. An id takes its UTF-8 bytes and 12 bytes more.
    `find` and `slot` are O(1) and take about a microsecond. The hash table is a linear hash: every new player adds
    one bucket and moves about one entry, so it never stops to rehash, whatever its size.
    """

    __slots__ = ("__weakref__", "_heads", "_ids", "_mask", "_next", "_starts")

    def __init__(self) -> None:
        self._ids = bytearray()  # UTF-8 of all ids, end to end
        self._starts = array("I", [0])  # id of slot s: _ids[_starts[s]:_starts[s + 1]]
        # Chains of slots with one hash bucket. Entries are slot + 1, so that 0 can end a chain.
        self._heads = array("I", [0])
        self._next = array("I")
        self._mask = 0  # the smallest 2**n - 1 that covers all buckets

    def __len__(self) -> int:
        return len(self._next)

    def find(self, player: str) -> int:
        """The slot of `player`, -1 when unknown."""
        utf8 = player.encode()
        ids, starts = self._ids, self._starts
        entry = self._heads[self._bucket(hash(utf8))]
        while entry:
            if ids[starts[entry - 1] : starts[entry]] == utf8:
                return entry - 1
            entry = self._next[entry - 1]
        return -1

    def slot(self, player: str) -> int:
        """The slot of `player`, a new one for a new player."""
        slot = self.find(player)
        return self._add(player.encode()) if slot < 0 else slot

    def player(self, slot: int) -> str:
        """The player with this slot; IndexError when there is none."""
        if slot < 0:
            raise IndexError(slot)
        return self.utf8(slot).decode()

    def utf8(self, slot: int) -> bytearray:
        """The id with this slot as UTF-8: its byte order is the order of players."""
        return self._ids[self._starts[slot] : self._starts[slot + 1]]

    def bisect(self, slots: array[int], utf8: bytes | bytearray, start: int, end: int) -> int:
        """Where `utf8` belongs in slots[start:end], which is in the order of players."""
        ids, starts = self._ids, self._starts
        while start < end:
            middle = (start + end) >> 1
            slot = slots[middle]
            if ids[starts[slot] : starts[slot + 1]] < utf8:
                start = middle + 1
            else:
                end = middle
        return start

    def _bucket(self, hashed: int) -> int:
        bucket = hashed & self._mask
        # The upper half of the buckets comes into being one by one; until then the lower half stands in.
        return bucket if bucket < len(self._heads) else bucket & (self._mask >> 1)

    def _add(self, utf8: bytes) -> int:
        self._grow()
        self._ids += utf8
        self._starts.append(len(self._ids))
        bucket = self._bucket(hash(utf8))
        self._next.append(self._heads[bucket])
        self._heads[bucket] = len(self._next)
        return len(self._next) - 1

    def _grow(self) -> None:
        """Add one bucket, and share out the chain of the bucket that stood in for it."""
        added = len(self._heads)
        self._heads.append(0)
        if added > self._mask:
            self._mask = 2 * self._mask + 1
        entry, self._heads[added & (self._mask >> 1)] = self._heads[added & (self._mask >> 1)], 0
        while entry:
            following = self._next[entry - 1]
            bucket = hash(bytes(self.utf8(entry - 1))) & self._mask
            self._next[entry - 1] = self._heads[bucket]
            self._heads[bucket] = entry
            entry = following


def index_of(slots: array[int], slot: int) -> int:
    """The index of `slot` in `slots`.

    A search of the bytes is some ten times as fast as array.index, and with ties faster than a bisection that reads
    players' ids from all over the memory.
    """
    raw, wanted = slots.tobytes(), _SLOT.pack(slot)
    at = raw.index(wanted)
    while at % _SLOT.size:  # the end of one number and the beginning of the next
        at = raw.index(wanted, at + 1)
    return at // _SLOT.size
