"""The database file: its settings, its threads, its migrations, and what its errors mean."""

import asyncio
import contextlib
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import structlog

from scoreboard.adapters.sqlite.checkpoints import Checkpoints
from scoreboard.adapters.sqlite.thread import Thread
from scoreboard.domain import codes

log = structlog.get_logger(__name__)

T = TypeVar("T")

CACHE_KIB = {"writer": 64 * 1024, "points": 24 * 1024, "reader": 2 * 1024}  # of pages, a connection
PAGE_BYTES = 2_048  # an update touches a random page or two, and each goes whole through the log: small ones cost less
BUSY_S = 10.0
ROWS_A_STEP = 64

_SQL = files(__package__) / "sql"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statements(file: str) -> dict[str, str]:
    """The statements of a file in `sql/`, by name."""
    parts = _NAME.split((_SQL / file).read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run an `INSERT ... VALUES (?, ...)` for all rows, many in one step.

    At each step the interpreter may go to another thread, and coming back is a wait: the fewer the better.
    """
    start = 0
    while start < len(rows):
        size = min(ROWS_A_STEP, 1 << (len(rows) - start).bit_length() - 1)  # few sizes, so that each is prepared once
        connection.execute(_of_rows(statement, size), tuple(chain.from_iterable(rows[start : start + size])))
        start += size


@lru_cache
def _of_rows(statement: str, rows: int) -> str:
    head, values, row = statement.rpartition("VALUES ")
    return f"{head}{values}{', '.join([row] * rows)}"


class Database:
    """One writing connection on a thread of its own, one for reads that take long on another, one for point reads on
    the event loop (a few microseconds each, which is less than the way to a thread and back). A fourth thread copies
    the write-ahead log into the file, so that no commit waits for that.
    """

    def __init__(self, path: Path) -> None:
        self._writing = Thread("sqlite-write")
        self._reading = Thread("sqlite-read")
        self.writer = _connect(path, CACHE_KIB["writer"])
        self.reader = _connect(path, CACHE_KIB["reader"])
        self.points = _connect(path, CACHE_KIB["points"])
        self._checkpoints = Checkpoints(path, lambda: _connect(path), self._on_writer)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one durable transaction. A caller that is cancelled does not stop it."""
        return await self._writing.run(lambda: self._transaction(work))

    def point(self, statement: str, *values: object) -> list[Any]:
        """The rows of a statement that looks at a few rows by their keys, read on the calling thread."""
        try:
            return self.points.execute(statement, values).fetchall()
        except Exception as error:
            raise _translate_error(error) from error

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def reading() -> T:
            try:
                return work(self.reader)
            except Exception as error:
                raise _translate_error(error) from error

        return await self._reading.run(reading)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self.writer.in_transaction:  # its end failed before
                self.writer.execute("ROLLBACK")
            self.writer.execute("BEGIN IMMEDIATE")
            result = work(self.writer)
            self.writer.execute("COMMIT")
        except Exception as error:
            if self.writer.in_transaction:  # some failures have rolled back already
                with contextlib.suppress(sqlite3.Error):
                    self.writer.execute("ROLLBACK")
            raise _translate_error(error) from error
        self._checkpoints.written(self.writer.total_changes)
        return result

    def _on_writer(self, work: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        return self._writing.submit(lambda: work(self.writer))

    async def close(self) -> None:
        await asyncio.to_thread(self._checkpoints.stop)
        for thread in (self._reading, self._writing):
            await asyncio.to_thread(thread.stop)
        for connection in (self.points, self.reader, self.writer):
            connection.close()
        self._checkpoints.close()


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """The database, at the newest version of its schema, closed in the end."""
    await asyncio.to_thread(migrate, path)
    database = Database(path)
    try:
        yield database
    finally:
        await database.close()


def migrate(path: Path) -> list[str]:
    """Apply the numbered files of `sql/` that were not applied yet, each in one transaction. Returns their names.

    Raises sqlite3.DatabaseError where a newer version has applied more."""
    path.touch(mode=0o600)  # players' names are in it; SQLite gives the log the same rights
    connection = _connect(path)
    applied = []
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        files = sorted(entry.name for entry in _SQL.iterdir() if entry.name[:4].isdigit())
        if version > int(files[-1][:4]):
            raise sqlite3.DatabaseError(f"a newer version of scoreboard made its store (schema {version})")
        for file in files:
            number = int(file[:4])
            if number > version:
                script = (_SQL / file).read_text()
                connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
                applied.append(file)
        _make_durable(connection)
    finally:
        connection.close()
    return applied


def _make_durable(connection: sqlite3.Connection) -> None:
    """Copy and sync what a process that was killed left in the log, before anything is answered from it: the last of it
    may be in the system's memory only, if a sync failed before the end."""
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy:
        raise sqlite3.OperationalError("another program is using the database")


def _connect(path: Path, cache_kib: int = 2 * 1024) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    for setting in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        "foreign_keys = ON",
        f"cache_size = -{cache_kib}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {setting}")
    return connection


_OF_THE_DATA = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def _translate_error(error: Exception) -> Exception:
    """Faults of the data stay what they are; every other fault of the database is one of ours: Unavailable."""
    if isinstance(error, MemoryError):
        return codes.STORAGE_FAILED.error("the server is out of memory", retry_after_s=5)
    if not isinstance(error, sqlite3.Error) or isinstance(error, _OF_THE_DATA):
        return error
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return codes.STORAGE_FULL.error("the disk is full; nothing was counted", retry_after_s=10)
    log.error("storage_failed", error=str(error), name=getattr(error, "sqlite_errorname", "unknown"))
    return codes.STORAGE_FAILED.error("the database failed; the outcome may be unknown", retry_after_s=1)


def folder_lock(folder: Path) -> int:
    """Take the data folder for this process; the descriptor holds it. Raises BlockingIOError when it is taken."""
    import fcntl  # noqa: PLC0415 - where there is none, embedded cannot promise one process

    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
