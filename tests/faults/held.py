"""Tools for races and faults: a held writer, and failures of chosen statements."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from harness.service import Running
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.ledger import SqliteLedger


def database_of(running: Running) -> Database:
    return cast("SqliteLedger", running.service.ledger).database


@asynccontextmanager
async def writer_held(running: Running) -> AsyncIterator[Callable[[], None]]:
    """Hold all transactions until the yielded function is called, or the block ends."""
    going = threading.Event()
    waiting = database_of(running).writing.submit(lambda: going.wait(BOUND_S))
    try:
        yield going.set
    finally:
        going.set()
        await asyncio.wrap_future(waiting)


async def pending(running: Running, count: int) -> None:
    """Wait until `count` updates wait for a transaction, or are in one."""
    await eventually(lambda: running.service.commit.pending == count, f"{count} updates are pending")


class Faulty:
    """A SQLite connection whose statements fail on demand.

    Once armed, the `at`-th statement and the `times - 1` after it fail, before or after they run. `failed` lists them.
    """

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self._error: Callable[[], BaseException] | None = None
        self._at = self._times = self._seen = 0
        self._after = False
        self.failed: list[str] = []

    def arm(self, error: Callable[[], BaseException], at: int, *, after: bool = False, times: int = 1) -> None:
        self._error, self._at, self._after, self._times, self._seen = error, at, after, times, 0
        self.failed = []

    def disarm(self) -> None:
        self._error = None

    def execute(self, sql: str, *values: Any) -> Any:
        return self._do(sql, lambda: self._inner.execute(sql, *values))

    def _do(self, sql: str, work: Callable[[], Any]) -> Any:
        if self._error is None or sql == "ROLLBACK" or (self._after and sql.startswith("BEGIN")):
            return work()
        self._seen += 1
        if self._at <= self._seen < self._at + self._times:
            self.failed.append(sql.rsplit("\n", maxsplit=1)[-1] if sql.startswith("--") else sql)
            if self._after:
                work()
            raise self._error()
        return work()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def failure(code: int) -> Callable[[], BaseException]:
    """Return a factory of the exception that sqlite3 raises for an error code."""

    def made() -> BaseException:
        kind = {
            sqlite3.SQLITE_NOMEM: MemoryError,
            sqlite3.SQLITE_INTERNAL: sqlite3.InternalError,
            sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
            sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
            sqlite3.SQLITE_MISUSE: sqlite3.InterfaceError,
        }.get(code, sqlite3.OperationalError)
        error = kind(f"injected {code}")
        if isinstance(error, sqlite3.Error):
            error.sqlite_errorcode = code
        return error

    return made
