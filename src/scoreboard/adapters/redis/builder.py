"""Builder: builds absent tables from the ledger's totals.

One process builds a table. Each chunk that it writes renews its lease. Updates are applied during the build, and
versions make the overlap harmless. A table without standings in the ledger leaves nothing in Redis.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import structlog

from scoreboard.adapters.redis import keys, tables
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.adapters.redis.tables import Tables
from scoreboard.adapters.redis.timeouts import LIMITS, TIMEOUTS, RankingLimits, RedisTimeouts
from scoreboard.adapters.redis.totals import Totals, require_totals
from scoreboard.application.ports.ranking import NotRanked, OrderKey
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

Load: TypeAlias = Callable[[TableKey], AsyncIterator[list[tuple[str, Standing]]]]

BUILDS_AT_ONCE = 2

_NO_STANDINGS: Mapping[str, Standing] = {}


class Builder:
    """Builder of the tables of one process.

    `load` yields all standings of a table. With `keep` (0: all) only the best are built, which `totals` returns.
    """

    def __init__(
        self,
        on: Tables,
        load: Load,
        totals: Totals | None,
        keep: int,
        timeouts: RedisTimeouts = TIMEOUTS,
        limits: RankingLimits = LIMITS,
    ) -> None:
        self._tables = on
        self._load = load
        self._totals = totals
        self._keep = keep
        self._timeouts = timeouts
        self._limits = limits
        self._lease_ms = round(limits.lease_s * 1_000)
        self._building: dict[TableKey, asyncio.Task[None]] = {}
        self._builds = asyncio.Semaphore(BUILDS_AT_ONCE)
        self.empty: dict[TableKey, float] = {}  # when the entry expires, by the clock of the event loop

    async def close(self) -> None:
        """Cancel all builds."""
        await self._cancel(list(self._building))

    def build(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing] = _NO_STANDINGS
    ) -> asyncio.Task[None]:
        """Return this process's task that builds the table, or waits for another builder.

        `standings` are known to belong in the table.
        """
        if standings:
            self.empty.pop(key, None)
        building = self._building.get(key)
        if building is None:
            building = self._building[key] = asyncio.create_task(self._build(key, board, standings))
            building.add_done_callback(lambda _: self._building.pop(key))
        return building

    async def wait_for_build(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing] = _NO_STANDINGS
    ) -> None:
        """Build a table, or raise NotRanked when that takes longer than the time-out."""
        done, _ = await asyncio.wait((self.build(key, board, standings),), timeout=self._timeouts.build_s)
        if not done:
            raise NotRanked("warming")

    async def rebuild_if_resized(self, key: TableKey, board: Board) -> None:
        """Rebuild a table whose size no longer fits `keep`; an absent table stays absent."""
        await self._try_build(key, board, _NO_STANDINGS, only_present=True)

    def is_known_empty(self, key: TableKey) -> bool:
        return self.empty.get(key, 0.0) > asyncio.get_running_loop().time()

    async def evict(self, board: Board) -> None:
        """Cancel the builds of a board, and clear its known empty tables."""
        await self._cancel([key for key in self._building if key.board == board.pk])
        for key in [key for key in self.empty if key.board == board.pk]:
            del self.empty[key]

    async def _build(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        try:
            if not standings and not await self._is_in_ledger(key):
                self._remember_empty(key)
                return
            while not await self._try_build(key, board, standings):  # noqa: ASYNC110 - another process builds it
                await asyncio.sleep(self._limits.poll_s)
        except (NotRanked, Unavailable):
            pass  # The adapter that failed has logged it. The next read starts another build.
        except Exception:
            log.exception("table_not_built", table=key)  # The next read starts another build.

    async def _is_in_ledger(self, key: TableKey) -> bool:
        async for chunk in self._load(key):
            if chunk:
                return True
        return False

    def _remember_empty(self, key: TableKey) -> None:
        now = asyncio.get_running_loop().time()
        if len(self.empty) >= self._limits.empty_tables:
            self.empty = {key: until for key, until in self.empty.items() if until > now}
        if len(self.empty) < self._limits.empty_tables:
            self.empty[key] = now + self._timeouts.empty_s

    async def _try_build(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, only_present: bool = False
    ) -> bool:
        """Build a table that needs it; return False while another process builds it."""
        async with self._builds:
            epoch = secrets.token_hex(6)
            rules = Encoding(board).width, board.numbering, self._keep, int(only_present)
            state = await self._tables.call(tables.CLAIM, key, epoch, self._lease_ms, *rules)
            if state == tables.CLAIMED:
                extent: _Extent | None = None
                try:
                    extent = await self._fill(key, board, epoch, standings)
                finally:
                    end = int(extent is not None), keys.changed(key), self._keep, *(extent or _Extent())
                    finished = await self._tables.call(tables.FINISH, key, epoch, *end)
                log.info("table_built", table=key, state=finished.decode())
        return bool(state in {tables.READY, tables.CLAIMED})

    async def _fill(
        self, key: TableKey, board: Board, epoch: str, standings: Mapping[str, Standing]
    ) -> "_Extent | None":
        """Write the totals, or the best of them; return None if the lease was lost."""
        if self._keep:
            totals = require_totals(self._totals)
            best = await totals.top(key, board, self._keep + 1)
            if not await self._write(key, board, epoch, best[: self._keep]):
                return None
            if len(best) <= self._keep:
                return _Extent()
            player, last = best[self._keep - 1]
            floor = Encoding(board).member(OrderKey(last.score, last.reached_at, player))
            return _Extent(floor, await totals.total(key, board))
        await self._write(key, board, epoch, standings.items())
        async for loaded in self._load(key):
            if not await self._write(key, board, epoch, loaded):
                return None
        return _Extent()

    async def _write(
        self, key: TableKey, board: Board, epoch: str, standings: Collection[tuple[str, Standing]]
    ) -> bool:
        """Write standings; return False if this process is no longer the builder."""
        for chunk in tables.chunks(standings):
            state, _ = await self._tables.apply(
                key, board, dict(chunk), self._keep, epoch=epoch, lease_ms=self._lease_ms
            )
            if state == tables.ABSENT:
                return False
        return True

    async def _cancel(self, building: Sequence[TableKey]) -> None:
        tasks = [self._building[key] for key in building]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Extent(NamedTuple):
    """The part of a table that is in Redis.

    Without a `floor` that is all of it. Otherwise it ends at the floor, and the table has `total` standings.
    """

    floor: bytes = b""
    total: int = 0
