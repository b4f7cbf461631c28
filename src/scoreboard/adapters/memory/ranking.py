"""MemoryRanking: every table in use as a sorted index in process.

A table is loaded from the ledger's totals when it is first asked for, and again after it was set aside to make room.
What is applied while it loads waits and goes in after; versions make the overlap harmless. A table without a standing
is not kept.
"""

from __future__ import annotations  # array[int] is only for the type checker before Python 3.12

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import assert_never
from weakref import WeakValueDictionary

import structlog

from scoreboard.adapters.memory.player_slots import PlayerSlots
from scoreboard.adapters.memory.rank_index import RankIndex
from scoreboard.application.ports.ranking import (
    NotRanked,
    OrderKey,
    PlayerRank,
    Position,
    RankChange,
    RankedEntry,
    Slice,
)
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

Load = Callable[[TableKey], AsyncIterator[list[tuple[str, Standing]]]]

MAX_TABLES = 10_000  # kept; the one unused for longest is set aside first
GRACE_S = 0.1  # a caller waits so long for a table that is loading
SLOTS_AT_ONCE = 2_000  # looked up between two turns of other work


@dataclass(slots=True, eq=False)
class _Table:
    board: Board
    slots: PlayerSlots
    index: RankIndex
    offset: int
    loading: asyncio.Task[None] | None = None
    waiting: dict[str, Standing] = field(default_factory=dict)


class MemoryRanking:
    """`epoch` names this run of the process."""

    def __init__(self, load: Load, epoch: str, max_tables: int = MAX_TABLES) -> None:
        self._load = load
        self._epoch = epoch
        self._max_tables = max_tables
        self.tables: OrderedDict[TableKey, _Table] = OrderedDict()
        self.slots: WeakValueDictionary[int, PlayerSlots] = WeakValueDictionary()  # by app; its tables hold them
        self._offsets = count(1)  # one for all tables: a table loaded again never repeats an offset
        self._not_held = next(self._offsets)  # since when no table was given up

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        table = self.tables.get(key)
        if table is None or table.loading is not None:
            table = self._opened(key, board)
            _keep_newest(table.waiting, standings)
            await self._grace(table)
            # What the load found may be the update itself, so the rank before it is not known any more.
            return self._put(table, standings, place=place, before=False)
        self.tables.move_to_end(key)
        return self._put(table, standings, place=place, before=True)

    def _put(
        self, table: _Table, standings: Mapping[str, Standing], *, place: bool, before: bool
    ) -> Mapping[str, RankChange]:
        table.offset = next(self._offsets)
        index, slots = table.index, table.slots
        placed = {}
        for player, (score, reached_at, version, _, _) in standings.items():
            slot = slots.slot(player)
            previous = self._rank(table, slot) if place and before and slot in index else None
            moved = index.put(slot, score, reached_at, version)
            if place:
                placed[player] = RankChange(
                    self._rank(table, slot) if moved or previous is None else previous, previous
                )
        return placed

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        table = self.tables.get(key)
        if table is None:
            return  # it will be loaded without the player
        if table.loading is not None:
            await asyncio.wait((table.loading,))
        slot = table.slots.find(player)
        if slot in table.index and table.index.remove(slot, version + 1):
            table.offset = next(self._offsets)

    async def drop(self, board: Board) -> None:
        for key in [key for key in self.tables if key.board == board.pk]:
            table = self._given_up(key)
            if table.loading is not None:
                table.loading.cancel()

    async def close(self) -> None:
        """Load no further what is being loaded."""
        loading = [table.loading for table in self.tables.values() if table.loading is not None]
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)

    async def warm(self, key: TableKey, board: Board) -> int:
        """Load a table and wait for it; returns how many standings it has. Raises NotRanked when it could not be."""
        table = self._opened(key, board)
        if table.loading is not None:
            await asyncio.wait((table.loading,))
        if table.loading is not None:
            raise NotRanked("unavailable")
        return len(table.index)

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        return self._slice(key, await self._ready(key, board), start, stop)

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        table = await self._ready(key, board)
        start = table.index.seek(*after)
        return self._slice(key, table, start, start + limit)

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        table = await self._ready(key, board)
        slot = table.slots.find(player)
        if slot not in table.index:
            return None
        width = 2 * radius + 1
        start = max(0, min(table.index.position(slot) - radius, len(table.index) - width))
        return self._slice(key, table, start, start + width)

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        return self._details(await self._ready(key, board), player)

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        table = await self._ready(key, board)
        found = {player: self._details(table, player) for player in players}
        return {player: details for player, details in found.items() if details is not None}

    async def total(self, key: TableKey, board: Board) -> int:
        return len((await self._ready(key, board)).index)

    async def position(self, key: TableKey, board: Board) -> Position:
        return self._position(key)

    def _position(self, key: TableKey) -> Position:
        table = self.tables.get(key)
        # A table that is not held has no standing, or was given up: it has not changed since the last one that was.
        return Position(self._epoch, self._not_held if table is None else table.offset)

    def _slice(self, key: TableKey, table: _Table, start: int, stop: int) -> Slice:
        slots = table.index.slice(start, stop)
        players, ranks = table.slots, self._ranks(table, start, slots)
        ranked = []
        for slot, rank in zip(slots, ranks, strict=True):
            score, reached_at, _ = table.index.get(slot) or (0, 0, 0)
            ranked.append(RankedEntry(rank, players.player(slot), score, reached_at))
        return Slice(self._position(key), len(table.index), start, ranked)

    def _details(self, table: _Table, player: str) -> PlayerRank | None:
        found = table.index.surroundings(table.slots.find(player))
        if found is None:
            return None
        score, reached_at, place, better, worse, next_score = found
        total = len(table.index)
        ranked = RankedEntry(self._numbered(table, place, better, score), player, score, reached_at)
        return PlayerRank(place, ranked, total - better - worse - 1, worse, total, next_score)

    # Ranks

    def _rank(self, table: _Table, slot: int) -> int:
        if table.board.numbering == "ordinal":
            return table.index.position(slot) + 1
        score, _, _ = table.index.get(slot) or (0, 0, 0)
        return self._numbered(table, 0, None, score)

    def _numbered(self, table: _Table, position: int, better: int | None, score: int) -> int:
        match table.board.numbering:
            case "ordinal":
                return position + 1
            case "competition":
                return (table.index.better(score) if better is None else better) + 1
            case "dense":
                return table.index.better_scores(score) + 1
            case unknown:
                assert_never(unknown)

    def _ranks(self, table: _Table, start: int, slots: Sequence[int]) -> Sequence[int]:
        if table.board.numbering == "ordinal":
            return range(max(start, 0) + 1, max(start, 0) + 1 + len(slots))
        return [self._rank(table, slot) for slot in slots]

    # Tables

    async def _ready(self, key: TableKey, board: Board) -> _Table:
        table = self.tables.get(key)
        if table is None or table.loading is not None:
            table = self._opened(key, board)
            await self._grace(table)
        elif self.tables.get(key) is table:
            self.tables.move_to_end(key)
        return table

    async def _grace(self, table: _Table) -> None:
        """Wait a little for a table that loads. Raises NotRanked when that is not enough."""
        if table.loading is not None:
            await asyncio.wait((table.loading,), timeout=GRACE_S)
        if table.loading is not None:
            raise NotRanked("warming")

    def _opened(self, key: TableKey, board: Board) -> _Table:
        table = self.tables.get(key)
        if table is None:
            slots = self.slots.setdefault(board.app.pk, PlayerSlots())
            dense = board.numbering == "dense"
            index = RankIndex(slots, descending=board.descending, ties=board.ties, dense=dense)
            table = self.tables[key] = _Table(board, slots, index, next(self._offsets))
            table.loading = asyncio.create_task(self._fill(key, table))
            self._make_room()
        return table

    def _make_room(self) -> None:
        while len(self.tables) > self._max_tables:
            key = next((key for key, table in self.tables.items() if table.loading is None), None)
            if key is None:
                return
            self._given_up(key)

    def _given_up(self, key: TableKey) -> _Table:
        self._not_held = next(self._offsets)
        return self.tables.pop(key)

    async def _fill(self, key: TableKey, table: _Table) -> None:
        try:
            columns = await self._columns(key, table.slots)
            if columns[0]:
                await asyncio.to_thread(table.index.load, zip(*columns, strict=True))
            for player, new in table.waiting.items():
                table.index.put(table.slots.slot(player), new.score, new.reached_at, new.version)
        except Exception:
            # Nothing half made is ever answered from; the next to ask tries again.
            log.exception("table_not_loaded", table=key)
            if self.tables.get(key) is table:
                self._given_up(key)
        else:
            table.waiting.clear()
            table.offset = next(self._offsets)
            table.loading = None
            if not len(table.index) and self.tables.get(key) is table:
                del self.tables[key]  # whoever asks for seasons that never were pushes no table out

    async def _columns(self, key: TableKey, slots: PlayerSlots) -> tuple[array[int], ...]:
        """Slots, scores, instants and versions of the ledger's standings."""
        columns = tuple(array("q") for _ in range(4))
        async for chunk in self._load(key):
            for start in range(0, len(chunk), SLOTS_AT_ONCE):
                for player, (score, reached_at, version, *_) in chunk[start : start + SLOTS_AT_ONCE]:
                    for column, value in zip(columns, (slots.slot(player), score, reached_at, version), strict=True):
                        column.append(value)
                await asyncio.sleep(0)
        return columns


def _keep_newest(waiting: dict[str, Standing], standings: Mapping[str, Standing]) -> None:
    for player, new in standings.items():
        held = waiting.get(player)
        if held is None or held.version < new.version:
            waiting[player] = new
