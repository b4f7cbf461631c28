"""RedisRanking: every table as a sorted set in Redis or Valkey, shared by all processes.

Each call is one script on the keys of one table, which share a slot: atomic, and one round trip. Scripts are called by
their digest and sent again to a server that does not know them; functions, which the server keeps, would make two
versions of this program that run side by side overwrite each other's.

A table is answered from only when it is complete. Completeness is bound to the server's replication history
(`master_replid`, which is another after each start and each promotion): it is written beside the table when it is made,
and each script compares it, in the server itself (2 us), with the one it has now. After a failover or a restart, writes
may be lost, so what was made before is absent from then on, and made anew under a new epoch. Had each
process asked for the history from time to time instead, it would have read wrong ranks between two times.

What is absent is made by one process, the `Builder`, while updates go in. Who was taken out is remembered for an hour,
so that neither what it reads nor a late update brings them back.

With `keep` a table holds its best part only, down to a floor (docs/decisions/0013). Who stays behind the floor costs no
write; what cannot be known from the part alone is `out_of_range`, for whoever reads the totals.

Concurrent reads of a rank, a position or the same slice share the next call, and never one that has begun: an answer
is never older than its question.

Reads raise NotRanked; `apply`, `remove` and `drop` raise Unavailable when the server fails, as nothing that is made
later would make good for them: their caller comes back.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from scoreboard.adapters.redis import encoding, keys, replies, tables
from scoreboard.adapters.redis.builder import Builder, Load
from scoreboard.adapters.redis.connection import Client
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.adapters.redis.script import Script
from scoreboard.adapters.redis.tables import Tables
from scoreboard.adapters.redis.totals import Counts, Totals, wrap_totals
from scoreboard.application.ports.ranking import NotRanked, OrderKey, PlayerRank, Position, RankChange, Slice
from scoreboard.concurrency.coalescer import Coalescer
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

_Known: TypeAlias = PlayerRank | Literal["out_of_range"]

PLAYERS_A_CALL = 200
PROOFS = 10  # in a row, of one update: more are asked for only while tables come and go

ALL = -1  # standings are kept
_NO_TABLE = Position("empty", 0)


class RedisRanking:
    """`load` gives the ledger's totals of a table. Only the best `keep` of a table are kept (0: all); `totals` must be
    given where any process does so. A table that `is_past` is not made again once it is gone."""

    def __init__(
        self,
        client: Client,
        load: Load,
        totals: Totals | None = None,
        keep: int = 0,
        is_past: Callable[[TableKey, Board], bool] = lambda _, __: False,
    ) -> None:
        self.tables = Tables(client)
        self.builder = Builder(self.tables, load, totals, keep)
        self._totals = totals
        self._counts = None if totals is None else Counts(totals, self._note_count)
        self._keep = keep
        self._is_past = is_past
        self._details = Coalescer(self._details_of, PLAYERS_A_CALL)
        self._heads = Coalescer(self._head)
        self._slices = Coalescer(self._slice_at)

    async def close(self) -> None:
        """Make no more tables, and answer nobody any more."""
        for reads in (self._details, self._heads, self._slices):
            await reads.close()
        if self._counts is not None:
            await self._counts.close()
        await self.builder.close()

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        placed: dict[str, RankChange] = {}
        for chunk in tables.chunks(standings.items()):
            placed.update(await self._apply(key, board, dict(chunk), place=place))
        return placed

    async def _apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> dict[str, RankChange]:
        state, placed = await self._put(key, board, standings, place=place)
        if state == tables.READY:
            return placed
        if state == tables.ABSENT and self._is_past(key, board):
            raise NotRanked("out_of_range")
        await self.builder.soon(key, board, standings)
        state, placed = await self._put(key, board, standings, place=place)
        if state != tables.READY:
            raise NotRanked("warming")
        # What the load found may be the update itself, so the rank before it is not known any more.
        return {player: RankChange(one.rank, None) for player, one in placed.items()}

    async def _put(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> tuple[bytes, dict[str, RankChange]]:
        """Have them taken over, with the proofs that are asked for. The state of the table, and where they went."""
        placed: dict[str, RankChange] = {}
        for proof in range(PROOFS):
            state, to_prove, *ranks = await self.tables.apply(
                key, board, standings, self._keep, place=place, proven=proof > 0
            )
            placed |= {
                player: RankChange(rank, before or None)
                for player, rank, before in zip(standings, ranks[::2], ranks[1::2], strict=bool(ranks))
                if rank
            }
            players = list(standings)
            if not to_prove:
                return state, placed
            standings = await wrap_totals(self._totals).standings_of(key, board, [players[n] for n in to_prove])
            if not standings:
                return state, placed
        raise codes.RANKING_UNAVAILABLE.error("the table changes too often; try again", retry_after_s=1)

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        arguments = encoding.player(player), encoding.version(version), keys.changed(key)
        await self.tables.call(tables.REMOVE, key, *arguments)

    async def drop(self, board: Board) -> None:
        await self.builder.evict(board)
        for key in await self.tables.of(board.pk):
            await self.tables.call(tables.DROP, key)

    async def warm(self, key: TableKey, board: Board) -> int:
        """Make a table unless it is there, and wait for it; returns how many standings it has."""
        await asyncio.wait((self.builder.made(key, board),))
        return await self.total(key, board)

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        start = max(start, 0)
        return await self._slices.ask((key, start, max(stop - start, 0)), board)

    async def _slice_at(self, place: tuple[TableKey, int, int], boards: Sequence[Board]) -> Sequence[Slice]:
        """Read one slice for every caller. What it depends on is the same for all versions of a board."""
        key, start, most = place
        found = await self._slice(key, boards[-1], "at", start, most)
        return [Slice(_NO_TABLE, 0, start, []) if found is None else found] * len(boards)

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        found = await self._slice(key, board, "after", Encoding(board).member(after), limit)
        return Slice(_NO_TABLE, 0, 0, []) if found is None else found

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        found = await self._slice(key, board, "around", encoding.player(player), radius)
        return None if found is None or found.start < 0 else found

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        found = await self._details.ask(key, (board, player))
        return None if found is None else _certain(found)

    async def _details_of(self, key: TableKey, asked: Sequence[tuple[Board, str]]) -> Sequence[_Known | None]:
        board, _ = asked[-1]
        found = await self._those_known(key, board, {player for _, player in asked})
        return [found.get(player) for _, player in asked]

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        found = await self._those_known(key, board, players)
        return {player: _certain(details) for player, details in found.items()}

    async def _those_known(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, _Known]:
        """Those of whom the part that is kept tells nothing are `out_of_range`."""
        found = await self._read(tables.DETAILS, key, board, *map(encoding.player, players))
        if found is None:
            return {}
        _, _, total, _, kept, *lines = found
        unknown: dict[str, _Known] = {} if kept == ALL else dict.fromkeys(players, "out_of_range")
        rules = Encoding(board)
        return unknown | {
            player: replies.details(rules, player, total, *line)
            for player, line in zip(players, lines, strict=True)
            if line
        }

    async def total(self, key: TableKey, board: Board) -> int:
        found = await self._read(tables.DETAILS, key, board)
        return 0 if found is None else found[2]

    async def position(self, key: TableKey, board: Board) -> Position:
        """Of the part that is kept; NotRanked where that is less than the top N."""
        found = await self._heads.ask(key, board)
        if found is None:
            return _NO_TABLE
        position, kept = found
        if ALL < kept < board.top_n:  # `top_n` may change, so it is compared for each caller
            raise NotRanked("out_of_range")
        return position

    async def _head(self, key: TableKey, boards: Sequence[Board]) -> Sequence[tuple[Position, int] | None]:
        """Read the position of a table, and how many standings are kept, once for every caller."""
        found = await self._read(tables.DETAILS, key, boards[-1])
        head = None if found is None else (replies.position(*found[:2]), found[4])
        return [head] * len(boards)

    # What is kept

    async def cached_tables(self) -> Sequence[TableKey]:
        return await self.tables.all()

    async def cached_depth(self, key: TableKey, board: Board) -> int | None:
        found = await self._read(tables.DETAILS, key, board)
        return None if found is None or found[4] == ALL else found[4]

    async def evict(self, key: TableKey) -> None:
        await self.tables.call(tables.DROP, key)

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        await self.builder.rebuild_if_resized(key, board)

    async def _note_count(self, key: TableKey, total: int) -> None:
        await self.tables.call(tables.COUNT, key, total, keys.changed(key))

    async def _slice(self, key: TableKey, board: Board, how: str, where: int | bytes, most: int) -> Slice | None:
        """What slice.lua finds; None of a table that is not there."""
        found = await self._read(tables.SLICE, key, board, how, where, most)
        if found is None:
            return None
        epoch, offset, total, _, start, first, members, values = found
        rows = replies.rows(board, start, first, members, values)
        return Slice(replies.position(epoch, offset), total, start, rows)

    async def _read(self, script: Script, key: TableKey, board: Board, *arguments: str | bytes | int) -> Any:
        """What a script tells of a table after its state; None of one without a standing. Raises NotRanked."""
        try:
            state, *found = await self.tables.call(script, key, *arguments)
            if state not in {tables.READY, tables.OUT_OF_RANGE}:
                if state == tables.ABSENT and self._is_past(key, board):
                    raise NotRanked("out_of_range")
                if not (state == tables.ABSENT and self.builder.known_empty(key)):
                    await self.builder.soon(key, board)
                    state, *found = await self.tables.call(script, key, *arguments)
            counts = self._counts if state == tables.READY else None
            if counts is not None and await counts.refreshed(key, board, found[3]):
                state, *found = await self.tables.call(script, key, *arguments)
        except Unavailable as error:
            raise NotRanked("unavailable") from error
        if state == tables.READY:
            return found
        if state == tables.OUT_OF_RANGE:
            raise NotRanked("out_of_range")
        if state == tables.ABSENT and self.builder.known_empty(key):
            return None
        raise NotRanked("warming")


def _certain(known: _Known) -> PlayerRank:
    """Raises NotRanked."""
    if known == "out_of_range":
        raise NotRanked(known)
    return known
