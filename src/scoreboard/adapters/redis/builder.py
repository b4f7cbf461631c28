"""Builder: makes the tables that are absent, from the ledger's totals.

A table is made by one process, which holds it for BUILDER_S with each chunk it writes; updates go in meanwhile, and
versions make the overlap harmless. What no ledger knows leaves nothing in Redis, however many ask for it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import structlog

from scoreboard.adapters.redis import keys, tables
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.adapters.redis.tables import Tables
from scoreboard.adapters.redis.totals import Totals, wrap_totals
from scoreboard.application.ports.ranking import NotRanked, OrderKey
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

Load: TypeAlias = Callable[[TableKey], AsyncIterator[list[tuple[str, Standing]]]]

GRACE_S = 0.1  # a caller waits so long for a table that is being made
BUILDER_S = 15.0  # without a sign of life a builder counts as dead
LOOK_EVERY_S = 0.1  # at a table that another process makes
BUILDS_AT_ONCE = 2
EMPTY_FOR_S = 1.0  # what the ledger had nothing of is not asked of it again
EMPTIES = 10_000  # remembered

_NOTHING: Mapping[str, Standing] = {}


class Builder:
    """`load` gives all of a table; `totals` the best, where only so many are to `keep` (0: all)."""

    def __init__(self, on: Tables, load: Load, totals: Totals | None, keep: int) -> None:
        self._tables = on
        self._load = load
        self._totals = totals
        self._keep = keep
        self._making: dict[TableKey, asyncio.Task[None]] = {}
        self._builds = asyncio.Semaphore(BUILDS_AT_ONCE)
        self.empty: dict[TableKey, float] = {}  # until when, by the clock of the event loop

    async def close(self) -> None:
        """Make no more tables."""
        await self._stopped(list(self._making))

    def made(self, key: TableKey, board: Board, standings: Mapping[str, Standing] = _NOTHING) -> asyncio.Task[None]:
        """The one task of this process that makes the table, or waits until another process has. `standings` are known
        to belong in it."""
        if standings:
            self.empty.pop(key, None)
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, board, standings))
            making.add_done_callback(lambda _: self._making.pop(key))
        return making

    async def soon(self, key: TableKey, board: Board, standings: Mapping[str, Standing] = _NOTHING) -> None:
        """Wait a little until it is `made`. Raises NotRanked when that is not enough."""
        done, _ = await asyncio.wait((self.made(key, board, standings),), timeout=GRACE_S)
        if not done:
            raise NotRanked("warming")

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        """Make a table that is there anew, if it is not as it is to be."""
        await self._built(key, board, _NOTHING, only_there=True)

    def known_empty(self, key: TableKey) -> bool:
        return self.empty.get(key, 0.0) > asyncio.get_running_loop().time()

    async def evict(self, board: Board) -> None:
        """Stop making its tables, and what is known of them is not true any more."""
        await self._stopped([key for key in self._making if key.board == board.pk])
        for key in [key for key in self.empty if key.board == board.pk]:
            del self.empty[key]

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
        if len(self.empty) >= EMPTIES:
            self.empty = {key: until for key, until in self.empty.items() if until > now}
        if len(self.empty) < EMPTIES:
            self.empty[key] = now + EMPTY_FOR_S

    async def _built(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, only_there: bool = False
    ) -> bool:
        """Build the table, unless it is there as it is to be or another process is at it. False when it has to be
        looked at again."""
        async with self._builds:
            epoch = secrets.token_hex(6)
            rules = Encoding(board).width, board.numbering, self._keep, int(only_there)
            state = await self._tables.call(tables.CLAIM, key, epoch, _lease_ms(), *rules)
            if state == tables.CLAIMED:
                await self._build(key, board, epoch, standings)
        return bool(state in {tables.READY, tables.CLAIMED})

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
            best = await wrap_totals(self._totals).top(key, board, self._keep + 1)
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
        for chunk in tables.chunks(standings):
            state, _ = await self._tables.apply(key, board, dict(chunk), self._keep, epoch=epoch, lease_ms=_lease_ms())
            if state == tables.ABSENT:
                return False
        return True

    async def _part(self, key: TableKey, board: Board, best: Sequence[tuple[str, Standing]]) -> "_Part":
        """What these are of a table: all of it, or the part above the last but one, as there are more."""
        if len(best) <= self._keep:
            return _Part()
        player, last = best[self._keep - 1]
        floor = Encoding(board).member(OrderKey(last.score, last.reached_at, player))
        return _Part(floor, await wrap_totals(self._totals).total(key, board))

    async def _stopped(self, making: Sequence[TableKey]) -> None:
        tasks = [self._making[key] for key in making]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Part(NamedTuple):
    """What of a table is in Redis: all without a `floor`, else what is not behind it, of so many in all."""

    floor: bytes = b""
    total: int = 0


def _lease_ms() -> int:
    return round(BUILDER_S * 1_000)
