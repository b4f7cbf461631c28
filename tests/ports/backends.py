"""Every backend of every port, each with what the suites need besides the port itself. To enrol a backend, list it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from scoreboard.adapters.jose.access import JwtAccess
from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.access import Access
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.limits import Limits
from scoreboard.application.ports.ranking import Ranking
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey
from tests.making import ManualClock

T = TypeVar("T")


class Store(Protocol):
    """A ledger and a directory over one database, from `open` to `close`; what is opened again is another process."""

    @property
    def ledger(self) -> Ledger: ...
    @property
    def directory(self) -> Directory: ...

    async def open(self, folder: Path) -> None: ...
    async def close(self) -> None: ...
    def answers_lost(self) -> AbstractContextManager[None]:
        """A context in which every transaction commits and then fails, as if the answer to the commit were lost."""
        ...


class SqliteStore:
    ledger: SqliteLedger
    directory: SqliteDirectory
    _database: Database

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def open(self, folder: Path) -> None:
        self._database = await self._stack.enter_async_context(database.opened(folder / "scoreboard.db"))
        self.ledger, self.directory = SqliteLedger(self._database), SqliteDirectory(self._database)
        await self.directory.start()
        await self.ledger.start()

    async def close(self) -> None:
        await self._stack.aclose()

    @contextmanager
    def answers_lost(self) -> Iterator[None]:
        write = self._database.write

        async def written_and_lost(work: Callable[..., T]) -> T:
            await write(work)
            raise Unavailable("storage_failed", "the answer was lost")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._database, "write", written_and_lost)
            yield


class RankingBackend(Protocol):
    @property
    def ranking(self) -> Ranking: ...

    def given(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        """These are the ledger's totals from now on, for tables that are made later."""
        ...


class MemoryRankings:
    def __init__(self) -> None:
        self._totals: dict[TableKey, Mapping[str, Standing]] = {}
        self.ranking = MemoryRanking(self._load, "epoch")

    def given(self, key: TableKey, _: Board, standings: Mapping[str, Standing]) -> None:
        self._totals[key] = standings

    async def _load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        yield list(self._totals.get(key, {}).items())


class LimitsBackend(Protocol):
    @property
    def limits(self) -> Limits: ...

    def pass_time(self, seconds: float) -> None: ...


class MemoryLimited:
    def __init__(self) -> None:
        self._now = time.monotonic()
        self.limits = MemoryLimits(lambda: self._now)

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


class AccessBackend(Protocol):
    @property
    def access(self) -> Access: ...

    def another(self) -> Access:
        """One that has not made the tokens of `access`, with keys of its own."""
        ...

    def pass_time(self, seconds: float) -> None: ...


class JwtAccesses:
    def __init__(self) -> None:
        self._clock = ManualClock()
        self.access = JwtAccess(b"a" * 32, self._seconds)

    def _seconds(self) -> float:
        return self._clock.now / 1e6

    def another(self) -> JwtAccess:
        return JwtAccess(b"b" * 32, self._seconds)

    def pass_time(self, seconds: float) -> None:
        self._clock.now += round(seconds * 1e6)


STORES: dict[str, Callable[[], Store]] = {"sqlite": SqliteStore}
RANKINGS: dict[str, Callable[[], RankingBackend]] = {"memory": MemoryRankings}
LIMITS: dict[str, Callable[[], LimitsBackend]] = {"memory": MemoryLimited}
ACCESS: dict[str, Callable[[], AccessBackend]] = {"jose": JwtAccesses}

ENROLLED: dict[type, set[type]] = {
    Ledger: {SqliteLedger},
    Directory: {SqliteDirectory},
    Ranking: {MemoryRanking},
    Limits: {MemoryLimits},
    Access: {JwtAccess},
}


class Tenancy:
    """An open store with an app and boards in it, that can be closed and opened again."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self._folder = folder

    @property
    def ledger(self) -> Ledger:
        return self.store.ledger

    @property
    def directory(self) -> Directory:
        return self.store.directory

    async def reopened(self) -> None:
        await self.store.close()
        await self.store.open(self._folder)

    async def app(self, app: str = "game", time_zone: str = "UTC") -> App:
        return await self.directory.create_app(App(0, app, app.title(), time_zone))

    async def board(self, app: App, board: str = "main", **rules: Any) -> Board:
        return await self.directory.create_board(Board(0, app, board, board.title(), **rules))
