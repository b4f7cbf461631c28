"""MemoryRanking: the tables in use as sorted indexes in the memory of one process.

A table is loaded from the ledger's totals at its first use, and again at the next use after an eviction. Updates during
a load are applied after it; versions make the overlap harmless. A table without standings is not kept.
"""

from __future__ import annotations  # array[int] is only for the type checker before Python 3.12

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
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

MAX_TABLES = 10_000  # kept; the least recently used table is evicted first
LOAD_S = 0.1  # a caller waits so long for a table that is loading
SLOTS_AT_ONCE = 2_000  # looked up before the event loop may run other tasks


@dataclass(slots=True, eq=False)
class _Table:
    board: Board
    slots: PlayerSlots
    index: RankIndex
    offset: int
    loading: asyncio.Task[None] | None = None
    waiting: dict[str, Standing] = field(default_factory=dict)


class MemoryRanking:
    """Ranking of the tables that `load` yields; `epoch` is unique to this process."""

    def __init__(self, load: Load, epoch: str, max_tables: int = MAX_TABLES, load_s: float = LOAD_S) -> None:
        self._load = load
        self._epoch = epoch
        self._max_tables = max_tables
        self._load_s = load_s
        self.tables: OrderedDict[TableKey, _Table] = OrderedDict()
        self.slots: WeakValueDictionary[int, PlayerSlots] = WeakValueDictionary()  # by app, referenced by its tables
        self._offsets = count(1)  # shared by all tables, so that a reloaded table never repeats an offset
        self._absent_offset = next(self._offsets)  # of the last eviction

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        table = self.tables.get(key)
        if table is None or table.loading is not None:
            table = self._open_table(key, board)
            for player, new in standings.items():
                waiting = table.waiting.get(player)
                if waiting is None or waiting.version < new.version:
                    table.waiting[player] = new
            await self._wait_for_load(table)
            # The load may have included this update already, so the previous rank is unknown.
            return self._put(table, standings, place=place, with_previous=False)
        self.tables.move_to_end(key)
        return self._put(table, standings, place=place, with_previous=True)

    def _put(
        self, table: _Table, standings: Mapping[str, Standing], *, place: bool, with_previous: bool
    ) -> Mapping[str, RankChange]:
        table.offset = next(self._offsets)
        index, slots = table.index, table.slots
        changes = {}
        for player, (score, reached_at, version, _, _) in standings.items():
            slot = slots.slot(player)
            previous = self._rank(table, slot) if place and with_previous and slot in index else None
            moved = index.put(slot, score, reached_at, version)
            if place:
                changes[player] = RankChange(
                    self._rank(table, slot) if moved or previous is None else previous, previous
                )
        return changes

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        table = self.tables.get(key)
        if table is None:
            return  # the next load will not include the player
        if table.loading is not None:
            await asyncio.wait((table.loading,))
        slot = table.slots.find(player)
        if slot in table.index and table.index.remove(slot, version + 1):
            table.offset = next(self._offsets)

    async def drop(self, board: Board) -> None:
        for key in [key for key in self.tables if key.board == board.pk]:
            table = self._evict(key)
            if table.loading is not None:
                table.loading.cancel()

    async def close(self) -> None:
        """Cancel all loads."""
        loading = [table.loading for table in self.tables.values() if table.loading is not None]
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)

    async def warm(self, key: TableKey, board: Board) -> int:
        """Load a table, and return its number of standings; NotRanked if the load failed."""
        table = self._open_table(key, board)
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
        return self._player_rank(await self._ready(key, board), player)

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        table = await self._ready(key, board)
        found = {player: self._player_rank(table, player) for player in players}
        return {player: rank for player, rank in found.items() if rank is not None}

    async def total(self, key: TableKey, board: Board) -> int:
        return len((await self._ready(key, board)).index)

    async def position(self, key: TableKey, board: Board) -> Position:
        return self._position(key)

    def _position(self, key: TableKey) -> Position:
        table = self.tables.get(key)
        # An absent table has no standings or was evicted, so it has not changed since the last eviction.
        return Position(self._epoch, self._absent_offset if table is None else table.offset)

    def _slice(self, key: TableKey, table: _Table, start: int, stop: int) -> Slice:
        slots = table.index.slice(start, stop)
        players, first = table.slots, max(start, 0) + 1
        ordinal = table.board.numbering == "ordinal"
        ranks = range(first, first + len(slots)) if ordinal else [self._rank(table, slot) for slot in slots]
        ranked = []
        for slot, rank in zip(slots, ranks, strict=True):
            score, reached_at, _ = table.index.get(slot) or (0, 0, 0)
            ranked.append(RankedEntry(rank, players.player(slot), score, reached_at))
        return Slice(self._position(key), len(table.index), start, ranked)

    def _player_rank(self, table: _Table, player: str) -> PlayerRank | None:
        found = table.index.surroundings(table.slots.find(player))
        if found is None:
            return None
        score, reached_at, row, better, worse, next_score = found
        total = len(table.index)
        ranked = RankedEntry(self._rank_at(table, row, better, score), player, score, reached_at)
        return PlayerRank(row, ranked, total - better - worse - 1, worse, total, next_score)

    def _rank(self, table: _Table, slot: int) -> int:
        if table.board.numbering == "ordinal":
            return table.index.position(slot) + 1
        score, _, _ = table.index.get(slot) or (0, 0, 0)
        return self._rank_at(table, 0, None, score)

    def _rank_at(self, table: _Table, position: int, better: int | None, score: int) -> int:
        match table.board.numbering:
            case "ordinal":
                return position + 1
            case "competition":
                return (table.index.better(score) if better is None else better) + 1
            case "dense":
                return table.index.better_scores(score) + 1
            case unknown:
                assert_never(unknown)

    async def _ready(self, key: TableKey, board: Board) -> _Table:
        table = self.tables.get(key)
        if table is None or table.loading is not None:
            table = self._open_table(key, board)
            await self._wait_for_load(table)
        elif self.tables.get(key) is table:
            self.tables.move_to_end(key)
        return table

    async def _wait_for_load(self, table: _Table) -> None:
        """Wait until a table is loaded, or raise NotRanked after the time-out."""
        if table.loading is not None:
            await asyncio.wait((table.loading,), timeout=self._load_s)
        if table.loading is not None:
            raise NotRanked("warming")

    def _open_table(self, key: TableKey, board: Board) -> _Table:
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
            self._evict(key)

    def _evict(self, key: TableKey) -> _Table:
        self._absent_offset = next(self._offsets)
        return self.tables.pop(key)

    async def _fill(self, key: TableKey, table: _Table) -> None:
        try:
            columns = await self._columns(key, table.slots)
            if columns[0]:
                await asyncio.to_thread(table.index.load, zip(*columns, strict=True))
            for player, new in table.waiting.items():
                table.index.put(table.slots.slot(player), new.score, new.reached_at, new.version)
        except Exception:
            # An incomplete table is never read. The next read loads it again.
            log.exception("table_not_loaded", table=key)
            if self.tables.get(key) is table:
                self._evict(key)
        else:
            table.waiting.clear()
            table.offset = next(self._offsets)
            table.loading = None
            if not len(table.index) and self.tables.get(key) is table:
                del self.tables[key]  # so that requests for seasons without standings evict no table

    async def _columns(self, key: TableKey, slots: PlayerSlots) -> tuple[array[int], ...]:
        """Return the slots, scores, times and versions of the ledger's standings."""
        columns = tuple(array("q") for _ in range(4))
        async for chunk in self._load(key):
            for start in range(0, len(chunk), SLOTS_AT_ONCE):
                for player, (score, reached_at, version, *_) in chunk[start : start + SLOTS_AT_ONCE]:
                    for column, value in zip(columns, (slots.slot(player), score, reached_at, version), strict=True):
                        column.append(value)
                await asyncio.sleep(0)
        return columns
