"""RedisRanking: tables as sorted sets in Redis or Valkey, shared by all processes.

Each call is one script on the keys of one table, which share a slot: atomic, and one round trip. A script is called by
its digest, and its text is sent to a server that does not have it. Redis functions are no alternative: two versions of
this program that run side by side would overwrite each other's.

Only a complete table is read. Its builder stores the server's replication history with it: `master_replid`, which
changes with each start and each promotion. Each script compares the stored history with the current one, in the server
(2 us). After a failover or a restart, which may lose writes, older tables therefore count as absent and are rebuilt
under a new epoch. A process that polled the history would return wrong ranks between two polls.

One process builds an absent table (`Builder`), while updates are applied to it. Removed players are remembered for an
hour, so that neither the build nor a late update restores them.

With `keep` a table holds only its best part, down to a floor (docs/decisions/0013). A player who stays behind the floor
costs no write. Reads beyond this part raise NotRanked with `out_of_range`; the caller reads the totals instead.

Concurrent reads of a rank, a position or the same slice share the next call, but never one that has begun. An answer is
never older than its question.

Reads raise NotRanked. `apply`, `remove` and `drop` raise Unavailable when the server fails. Their callers retry them,
because a table that survives the failure lacks the change.
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
from scoreboard.adapters.redis.timeouts import LIMITS, TIMEOUTS, RankingLimits, RedisTimeouts
from scoreboard.adapters.redis.totals import Counts, Totals, require_totals
from scoreboard.application.ports.ranking import NotRanked, OrderKey, PlayerRank, Position, RankChange, Slice
from scoreboard.concurrency.coalescer import Coalescer
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

_Rank: TypeAlias = PlayerRank | Literal["out_of_range"]

PLAYERS_A_CALL = 200
PROOFS = 10  # of one update in a row; more are needed only while tables appear and disappear

ALL = -1  # what scripts return for the number of standings of a table that is not capped
_NO_TABLE = Position("empty", 0)


class RedisRanking:
    """Ranking whose tables are built from the ledger's totals, which `load` yields.

    A table holds its best `keep` standings (0: all). `totals` is required if any process caps tables. An absent table
    that `is_past` is not rebuilt.
    """

    def __init__(
        self,
        client: Client,
        load: Load,
        totals: Totals | None = None,
        keep: int = 0,
        is_past: Callable[[TableKey, Board], bool] = lambda _, __: False,
        timeouts: RedisTimeouts = TIMEOUTS,
        limits: RankingLimits = LIMITS,
    ) -> None:
        self.tables = Tables(client)
        self.builder = Builder(self.tables, load, totals, keep, timeouts, limits)
        self._totals = totals
        self._counts = None if totals is None else Counts(totals, self._note_count, limits)
        self._keep = keep
        self._is_past = is_past
        self._ranks = Coalescer(self._call_ranks, PLAYERS_A_CALL)
        self._heads = Coalescer(self._call_head)
        self._slices = Coalescer(self._call_slice)

    async def close(self) -> None:
        """Cancel all builds and reads."""
        for reads in (self._ranks, self._heads, self._slices):
            await reads.close()
        if self._counts is not None:
            await self._counts.close()
        await self.builder.close()

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        changes: dict[str, RankChange] = {}
        for chunk in tables.chunks(standings.items()):
            changes.update(await self._apply(key, board, dict(chunk), place=place))
        return changes

    async def _apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> dict[str, RankChange]:
        state, changes = await self._put(key, board, standings, place=place)
        if state == tables.READY:
            return changes
        if state == tables.ABSENT and self._is_past(key, board):
            raise NotRanked("out_of_range")
        await self.builder.wait_for_build(key, board, standings)
        state, changes = await self._put(key, board, standings, place=place)
        if state != tables.READY:
            raise NotRanked("warming")
        # The build may have included this update already, so the previous rank is unknown.
        return {player: RankChange(change.rank, None) for player, change in changes.items()}

    async def _put(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> tuple[bytes, dict[str, RankChange]]:
        """Apply standings, with proofs if required; return the state and the ranks."""
        changes: dict[str, RankChange] = {}
        for proof in range(PROOFS):
            state, to_prove, *ranks = await self.tables.apply(
                key, board, standings, self._keep, place=place, proven=proof > 0
            )
            changes |= {
                player: RankChange(rank, previous or None)
                for player, rank, previous in zip(standings, ranks[::2], ranks[1::2], strict=bool(ranks))
                if rank
            }
            players = list(standings)
            if not to_prove:
                return state, changes
            standings = await require_totals(self._totals).standings_of(key, board, [players[n] for n in to_prove])
            if not standings:
                return state, changes
        raise codes.RANKING_UNAVAILABLE.error("the table changes too often; try again", retry_after_s=1)

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        arguments = encoding.player(player), encoding.version(version), keys.changed(key)
        await self.tables.call(tables.REMOVE, key, *arguments)

    async def drop(self, board: Board) -> None:
        await self.builder.evict(board)
        for key in await self.tables.of(board.pk):
            await self.tables.call(tables.DROP, key)

    async def warm(self, key: TableKey, board: Board) -> int:
        """Wait until a table is built, and return its number of standings."""
        await asyncio.wait((self.builder.build(key, board),))
        return await self.total(key, board)

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        start = max(start, 0)
        return await self._slices.ask((key, start, max(stop - start, 0)), board)

    async def _call_slice(self, rows: tuple[TableKey, int, int], boards: Sequence[Board]) -> Sequence[Slice]:
        """Read one slice for all callers, whose versions of the board do not affect it."""
        key, start, most = rows
        found = await self._read_slice(key, boards[-1], "at", start, most)
        return [Slice(_NO_TABLE, 0, start, []) if found is None else found] * len(boards)

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        found = await self._read_slice(key, board, "after", Encoding(board).member(after), limit)
        return Slice(_NO_TABLE, 0, 0, []) if found is None else found

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        found = await self._read_slice(key, board, "around", encoding.player(player), radius)
        return None if found is None or found.start < 0 else found

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        found = await self._ranks.ask(key, (board, player))
        return None if found is None else _exact(found)

    async def _call_ranks(self, key: TableKey, questions: Sequence[tuple[Board, str]]) -> Sequence[_Rank | None]:
        board, _ = questions[-1]
        found = await self._read_ranks(key, board, {player for _, player in questions})
        return [found.get(player) for _, player in questions]

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        found = await self._read_ranks(key, board, players)
        return {player: _exact(rank) for player, rank in found.items()}

    async def _read_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, _Rank]:
        """Return ranks by player, `out_of_range` if a capped table does not hold it."""
        found = await self._read(tables.RANKS, key, board, *map(encoding.player, players))
        if found is None:
            return {}
        _, _, total, _, kept, *lines = found
        unknown: dict[str, _Rank] = {} if kept == ALL else dict.fromkeys(players, "out_of_range")
        rules = Encoding(board)
        return unknown | {
            player: replies.player_rank(rules, player, total, *line)
            for player, line in zip(players, lines, strict=True)
            if line
        }

    async def total(self, key: TableKey, board: Board) -> int:
        found = await self._read(tables.RANKS, key, board)
        return 0 if found is None else found[2]

    async def position(self, key: TableKey, board: Board) -> Position:
        """Return the position of a table; NotRanked if it holds less than the top N."""
        found = await self._heads.ask(key, board)
        if found is None:
            return _NO_TABLE
        position, kept = found
        if ALL < kept < board.top_n:  # `top_n` may change, so it is compared for each caller
            raise NotRanked("out_of_range")
        return position

    async def _call_head(self, key: TableKey, boards: Sequence[Board]) -> Sequence[tuple[Position, int] | None]:
        """Read the position of a table and its number of kept standings for all callers."""
        found = await self._read(tables.RANKS, key, boards[-1])
        head = None if found is None else (replies.position(*found[:2]), found[4])
        return [head] * len(boards)

    async def cached_tables(self) -> Sequence[TableKey]:
        return await self.tables.all()

    async def cached_depth(self, key: TableKey, board: Board) -> int | None:
        found = await self._read(tables.RANKS, key, board)
        return None if found is None or found[4] == ALL else found[4]

    async def evict(self, key: TableKey) -> None:
        await self.tables.call(tables.DROP, key)

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        await self.builder.rebuild_if_resized(key, board)

    async def _note_count(self, key: TableKey, total: int) -> None:
        await self.tables.call(tables.COUNT, key, total, keys.changed(key))

    async def _read_slice(self, key: TableKey, board: Board, how: str, where: int | bytes, most: int) -> Slice | None:
        """Call slice.lua; return None for a table without standings."""
        found = await self._read(tables.SLICE, key, board, how, where, most)
        if found is None:
            return None
        epoch, offset, total, _, start, first, members, values = found
        rows = replies.entries(board, start, first, members, values)
        return Slice(replies.position(epoch, offset), total, start, rows)

    async def _read(self, script: Script, key: TableKey, board: Board, *arguments: str | bytes | int) -> Any:
        """Return a script's reply after the state; None for a table without standings.

        NotRanked if the table is not ready in time.
        """
        try:
            state, *found = await self.tables.call(script, key, *arguments)
            if state not in {tables.READY, tables.OUT_OF_RANGE}:
                if state == tables.ABSENT and self._is_past(key, board):
                    raise NotRanked("out_of_range")
                if not (state == tables.ABSENT and self.builder.is_known_empty(key)):
                    await self.builder.wait_for_build(key, board)
                    state, *found = await self.tables.call(script, key, *arguments)
            counts = self._counts if state == tables.READY else None
            if counts is not None and await counts.refresh(key, board, found[3]):
                state, *found = await self.tables.call(script, key, *arguments)
        except Unavailable as error:
            raise NotRanked("unavailable") from error
        if state == tables.READY:
            return found
        if state == tables.OUT_OF_RANGE:
            raise NotRanked("out_of_range")
        if state == tables.ABSENT and self.builder.is_known_empty(key):
            return None
        raise NotRanked("warming")


def _exact(rank: _Rank) -> PlayerRank:
    if rank == "out_of_range":
        raise NotRanked(rank)
    return rank
