"""RedisRanking: every table as a sorted set in Redis or Valkey, shared by all processes.

Each call is one script on the keys of one table, which share a slot: atomic, and one round trip. Scripts are called by
their digest and sent again to a server that does not know them; functions, which the server keeps, would make two
versions of this program that run side by side overwrite each other's.

A table is answered from only when it is complete. Completeness is bound to the server's replication history
(`master_replid`, which is another after each start and each promotion): it is written beside the table when it is made,
and each script compares it, in the server itself (2 us), with the one it has now. After a failover or a restart, writes
may be lost, so what was made before is absent from then on, and made anew under a new epoch. Had each
process asked for the history from time to time instead, it would have read wrong ranks between two times.

What is absent is made by one process, which holds it for BUILDER_S with each chunk it writes; updates go in meanwhile,
and versions make the overlap harmless. Who was taken out is remembered for an hour, so that neither a chunk nor
a late update brings them back. What no ledger knows leaves nothing in Redis, however many ask for it.

With `keep` a table holds its best part only, down to a floor (docs/decisions/0013). Who stays behind the floor costs no
write; what cannot be known from the part alone is `beyond`, for whoever reads the totals.

Reads raise NotRanked; `apply`, `remove` and `drop` raise Unavailable when the server fails, as nothing that is made
later would make good for them: their caller comes back.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Literal, NamedTuple, TypeAlias

import structlog

from scoreboard.adapters.redis import encoding, keys, tables, told
from scoreboard.adapters.redis.connection import Client
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.adapters.redis.script import Script
from scoreboard.adapters.redis.tables import Tables
from scoreboard.adapters.redis.together import Together
from scoreboard.adapters.redis.totals import Counts, Totals
from scoreboard.application.ports.ranking import Details, NotRanked, OrderKey, Placed, Position, Slice
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

Load: TypeAlias = Callable[[TableKey], AsyncIterator[list[tuple[str, Standing]]]]
_Known: TypeAlias = Details | Literal["beyond"]

GRACE_S = 0.1  # a caller waits so long for a table that is being made
BUILDER_S = 15.0  # without a sign of life a builder counts as dead
LOOK_EVERY_S = 0.1  # at a table that another process makes
BUILDS_AT_ONCE = 2
A_CALL = 1_000  # standings: Lua's `unpack` takes a few thousand values
EMPTY_FOR_S = 1.0  # what the ledger had nothing of is not asked of it again
EMPTIES = 10_000  # remembered

PROOFS = 10  # in a row, of one update: more are asked for only while tables come and go

_READY, _ABSENT, _CLAIMED, _BEYOND = b"ready", b"absent", b"claimed", b"beyond"
ALL = -1  # standings are kept
_NO_TABLE = Position("empty", 0)
_NOTHING: Mapping[str, Standing] = {}


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
        self._tables = Tables(client)
        self._load = load
        self._totals = totals
        self._counts = None if totals is None else Counts(totals, self._note_count)
        self._keep = keep
        self._is_past = is_past
        self._details = Together(self._those_known)
        self._making: dict[TableKey, asyncio.Task[None]] = {}
        self._builds = asyncio.Semaphore(BUILDS_AT_ONCE)
        self._empty: dict[TableKey, float] = {}  # until when, by the clock of the event loop

    async def close(self) -> None:
        """Make no more tables, and answer nobody any more."""
        await self._details.close()
        if self._counts is not None:
            await self._counts.close()
        await self._stopped(list(self._making))

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, Placed]:
        placed: dict[str, Placed] = {}
        for chunk in _chunks(standings.items()):
            placed.update(await self._apply(key, board, dict(chunk), place=place))
        return placed

    async def _apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> dict[str, Placed]:
        state, placed = await self._put(key, board, standings, place=place)
        if state == _READY:
            return placed
        if state == _ABSENT and self._is_past(key, board):
            raise NotRanked("beyond")
        self._empty.pop(key, None)
        await self._grace(self._made(key, board, standings))
        state, placed = await self._put(key, board, standings, place=place)
        if state != _READY:
            raise NotRanked("warming")
        # What the load found may be the update itself, so the rank before it is not known any more.
        return {player: Placed(one.rank, None) for player, one in placed.items()}

    async def _put(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> tuple[bytes, dict[str, Placed]]:
        """Have them taken over, with the proofs that are asked for. The state of the table, and where they went."""
        placed: dict[str, Placed] = {}
        for proof in range(PROOFS):
            state, to_prove, *ranks = await self._told(key, board, standings, place=place, proven=proof > 0)
            placed |= {
                player: Placed(rank, before or None)
                for player, rank, before in zip(standings, ranks[::2], ranks[1::2], strict=bool(ranks))
                if rank
            }
            players = list(standings)
            standings = await self._of_players(key, board, [players[n] for n in to_prove]) if to_prove else {}
            if not standings:
                return state, placed
        raise Unavailable("ranking_unavailable", "the table changes too often; try again", retry_after_s=1)

    async def _told(
        self,
        key: TableKey,
        board: Board,
        standings: Mapping[str, Standing],
        *,
        place: bool = False,
        proven: bool = False,
        epoch: str = "",
    ) -> list[Any]:
        """What apply.lua tells; `epoch` is the builder's."""
        value = Encoding(board).value
        pairs = ((encoding.player(player), value(standing)) for player, standing in standings.items())
        lease_ms = round(BUILDER_S * 1_000)
        rules = board.top_n, int(place), keys.changed(key), epoch, lease_ms, self._keep, int(proven)
        answer: list[Any] = await self._tables.call(tables.APPLY, key, *rules, *chain.from_iterable(pairs))
        return answer

    async def _of_players(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]:
        return await self._of_ledger().of_players(key, board, players)

    def _of_ledger(self) -> Totals:
        if self._totals is None:
            raise RuntimeError("a ranking that shares capped tables needs the totals")
        return self._totals

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        arguments = encoding.player(player), encoding.version(version), keys.changed(key)
        await self._tables.call(tables.REMOVE, key, *arguments)

    async def drop(self, board: Board) -> None:
        await self._stopped([key for key in self._making if key.board == board.number])
        for key in [key for key in self._empty if key.board == board.number]:
            del self._empty[key]
        for key in await self._tables.of(board.number):
            await self._tables.call(tables.DROP, key)

    async def warm(self, key: TableKey, board: Board) -> int:
        """Make a table unless it is there, and wait for it; returns how many standings it has."""
        await asyncio.wait((self._made(key, board),))
        return await self.total(key, board)

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        start = max(start, 0)
        found = await self._slice(key, board, "at", start, max(stop - start, 0))
        return Slice(_NO_TABLE, 0, start, []) if found is None else found

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        found = await self._slice(key, board, "after", Encoding(board).member(after), limit)
        return Slice(_NO_TABLE, 0, 0, []) if found is None else found

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        found = await self._slice(key, board, "around", encoding.player(player), radius)
        return None if found is None or found.start < 0 else found

    async def details(self, key: TableKey, board: Board, player: str) -> Details | None:
        found = await self._details.one(key, board, player)
        return None if found is None else _certain(found)

    async def several(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Details]:
        found = await self._those_known(key, board, players)
        return {player: _certain(details) for player, details in found.items()}

    async def _those_known(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, _Known]:
        """Those of whom the part that is kept tells nothing are `beyond`."""
        found = await self._read(tables.DETAILS, key, board, *map(encoding.player, players))
        if found is None:
            return {}
        _, _, total, _, kept, *lines = found
        unknown: dict[str, _Known] = {} if kept == ALL else dict.fromkeys(players, "beyond")
        rules = Encoding(board)
        return unknown | {
            player: told.details(rules, player, total, *line)
            for player, line in zip(players, lines, strict=True)
            if line
        }

    async def total(self, key: TableKey, board: Board) -> int:
        found = await self._read(tables.DETAILS, key, board)
        return 0 if found is None else found[2]

    async def position(self, key: TableKey, board: Board) -> Position:
        """Of the part that is kept; NotRanked where that is less than the top N."""
        found = await self._read(tables.DETAILS, key, board)
        if found is None:
            return _NO_TABLE
        if ALL < found[4] < board.top_n:
            raise NotRanked("beyond")
        return told.position(*found[:2])

    # What is kept

    async def cached(self) -> Sequence[TableKey]:
        return await self._tables.all()

    async def kept(self, key: TableKey, board: Board) -> int | None:
        found = await self._read(tables.DETAILS, key, board)
        return None if found is None or found[4] == ALL else found[4]

    async def forget(self, key: TableKey) -> None:
        await self._tables.call(tables.DROP, key)

    async def refit(self, key: TableKey, board: Board) -> None:
        await self._built(key, board, _NOTHING, only_there=True)

    async def _note_count(self, key: TableKey, total: int) -> None:
        await self._tables.call(tables.COUNT, key, total, keys.changed(key))

    async def _slice(self, key: TableKey, board: Board, how: str, where: int | bytes, most: int) -> Slice | None:
        """What slice.lua finds; None of a table that is not there."""
        found = await self._read(tables.SLICE, key, board, how, where, most)
        if found is None:
            return None
        epoch, offset, total, _, start, first, members, values = found
        rows = told.rows(board, start, first, members, values)
        return Slice(told.position(epoch, offset), total, start, rows)

    async def _read(self, script: Script, key: TableKey, board: Board, *arguments: str | bytes | int) -> Any:
        """What a script tells of a table after its state; None of one without a standing. Raises NotRanked."""
        try:
            state, *found = await self._tables.call(script, key, *arguments)
            if state not in {_READY, _BEYOND}:
                if state == _ABSENT and self._is_past(key, board):
                    raise NotRanked("beyond")
                if not (state == _ABSENT and self._known_empty(key)):
                    await self._grace(self._made(key, board))
                    state, *found = await self._tables.call(script, key, *arguments)
            if state == _READY and self._counts is not None and await self._counts.refreshed(key, board, found[3]):
                state, *found = await self._tables.call(script, key, *arguments)
        except Unavailable as error:
            raise NotRanked("unavailable") from error
        if state == _READY:
            return found
        if state == _BEYOND:
            raise NotRanked("beyond")
        if state == _ABSENT and self._known_empty(key):
            return None
        raise NotRanked("warming")

    # Tables

    def _known_empty(self, key: TableKey) -> bool:
        return self._empty.get(key, 0.0) > asyncio.get_running_loop().time()

    async def _grace(self, making: asyncio.Task[None]) -> None:
        """Wait a little for a table that is being made. Raises NotRanked when that is not enough."""
        done, _ = await asyncio.wait((making,), timeout=GRACE_S)
        if not done:
            raise NotRanked("warming")

    def _made(self, key: TableKey, board: Board, standings: Mapping[str, Standing] = _NOTHING) -> asyncio.Task[None]:
        """The one task of this process that makes the table, or waits until another process has. `standings` are known
        to belong in it."""
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, board, standings))
            making.add_done_callback(lambda _: self._making.pop(key))
        return making

    async def _make(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        try:
            if not standings and not await self._in_ledger(key):
                self._remember_empty(key)
                return
            while not await self._built(key, board, standings):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(LOOK_EVERY_S)
        except (NotRanked, Unavailable):
            pass  # said in the log where it was found; the next to ask tries again
        except Exception:
            log.exception("table_not_made", table=key)

    async def _in_ledger(self, key: TableKey) -> bool:
        async for chunk in self._load(key):
            if chunk:
                return True
        return False

    def _remember_empty(self, key: TableKey) -> None:
        now = asyncio.get_running_loop().time()
        if len(self._empty) >= EMPTIES:
            self._empty = {key: until for key, until in self._empty.items() if until > now}
        if len(self._empty) < EMPTIES:
            self._empty[key] = now + EMPTY_FOR_S

    async def _built(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, only_there: bool = False
    ) -> bool:
        """Build the table, unless it is there as it is to be or another process is at it. False when it has to be
        looked at again."""
        async with self._builds:
            epoch = secrets.token_hex(6)
            rules = Encoding(board).width, board.numbering, self._keep, int(only_there)
            state = await self._tables.call(tables.CLAIM, key, epoch, round(BUILDER_S * 1_000), *rules)
            if state == _CLAIMED:
                await self._build(key, board, epoch, standings)
        return bool(state in {_READY, _CLAIMED})

    async def _build(self, key: TableKey, board: Board, epoch: str, standings: Mapping[str, Standing]) -> None:
        part: _Part | None = None
        try:
            part = await self._filled(key, board, epoch, standings)
        finally:
            rules = int(part is not None), keys.changed(key), self._keep, *(part or _Part())
            state = await self._tables.call(tables.FINISH, key, epoch, *rules)
        log.info("table_made", table=key, state=state.decode())

    async def _filled(
        self, key: TableKey, board: Board, epoch: str, standings: Mapping[str, Standing]
    ) -> "_Part | None":
        """Write the ledger's totals, or the best of them. None when it is no longer this process that builds."""
        if self._keep:
            best = await self._of_ledger().best(key, board, self._keep + 1)
            written = await self._write(key, board, epoch, best[: self._keep])
            return await self._part(key, board, best) if written else None
        await self._write(key, board, epoch, standings.items())
        async for loaded in self._load(key):
            if not await self._write(key, board, epoch, loaded):
                return None
        return _Part()

    async def _write(
        self, key: TableKey, board: Board, epoch: str, standings: Collection[tuple[str, Standing]]
    ) -> bool:
        """Whether it is still this process that builds."""
        for chunk in _chunks(standings):
            state, _ = await self._told(key, board, dict(chunk), epoch=epoch)
            if state == _ABSENT:
                return False
        return True

    async def _part(self, key: TableKey, board: Board, best: Sequence[tuple[str, Standing]]) -> "_Part":
        """What these are of a table: all of it, or the part above the last but one, as there are more."""
        if len(best) <= self._keep:
            return _Part()
        player, last = best[self._keep - 1]
        floor = Encoding(board).member(OrderKey(last.score, last.reached_at, player))
        return _Part(floor, await self._of_ledger().total(key, board))

    async def _stopped(self, making: Sequence[TableKey]) -> None:
        tasks = [self._making[key] for key in making]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Part(NamedTuple):
    """What of a table is in Redis: all without a `floor`, else what is not behind it, of so many in all."""

    floor: bytes = b""
    total: int = 0


def _certain(known: _Known) -> Details:
    """Raises NotRanked."""
    if known == "beyond":
        raise NotRanked(known)
    return known


def _chunks(
    standings: Collection[tuple[str, Standing]],
) -> Iterator[list[tuple[str, Standing]]]:
    """As many as a call takes at a time."""
    rest = iter(standings)
    while chunk := list(islice(rest, A_CALL)):
        yield chunk
