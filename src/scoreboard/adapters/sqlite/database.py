"""The database file: settings, threads, migrations and errors."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import structlog

from scoreboard.adapters.sql.errors import storage_failure
from scoreboard.adapters.sql.files import SqlFiles
from scoreboard.adapters.sqlite.checkpoints import STEP_ROWS, Checkpoints
from scoreboard.adapters.sqlite.thread import Thread
from scoreboard.domain import codes

log = structlog.get_logger(__name__)

T = TypeVar("T")

CACHE_KIB = {"writer": 64 * 1024, "points": 24 * 1024, "reader": 2 * 1024}  # of pages, per connection
PAGE_BYTES = 2_048  # Small, because an update changes a random page or two, and the log takes whole pages.
BUSY_S = 10.0
INSERT_ROWS = 64  # in one statement

FILES = SqlFiles(__package__)
statements = FILES.statements


def insert(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run an `INSERT ... VALUES (?, ...)` for all rows, many per statement.

    The interpreter may switch threads at each statement, and waits to switch back.
    """
    start = 0
    while start < len(rows):
        # Powers of two keep the number of prepared statements small.
        size = min(INSERT_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        connection.execute(_with_rows(statement, size), tuple(chain.from_iterable(rows[start : start + size])))
        start += size


@lru_cache
def _with_rows(statement: str, rows: int) -> str:
    head, values, row = statement.rpartition("VALUES ")
    return f"{head}{values}{', '.join([row] * rows)}"


class Database:
    """The connections to the database file, each with its thread.

    One connection writes and one serves long reads, both on their own threads. A third serves point reads on the event
    loop: they take a few microseconds, less than a switch of threads. Checkpoints run on a fourth thread, so that no
    commit waits for them.
    """

    def __init__(self, path: Path, checkpoint_rows: int = STEP_ROWS) -> None:
        self.writing = Thread("sqlite-write")
        self._reading = Thread("sqlite-read")
        self.writer = connect(path, CACHE_KIB["writer"])
        self.reader = connect(path, CACHE_KIB["reader"])
        self.points = connect(path, CACHE_KIB["points"])
        self._checkpoints = Checkpoints(
            path, lambda: connect(path), lambda work: self.writing.submit(lambda: work(self.writer)), checkpoint_rows
        )

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one durable transaction. Cancelling the caller does not stop it."""
        return await self.writing.run(lambda: self._transaction(work))

    def point(self, statement: str, *values: object) -> list[Any]:
        """Return the few rows of a lookup by key, read on the calling thread."""
        try:
            return self.points.execute(statement, values).fetchall()
        except Exception as error:
            raise _translate_error(error) from error

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` with the reading connection, on its thread."""

        def read() -> T:
            try:
                return work(self.reader)
            except Exception as error:
                raise _translate_error(error) from error

        return await self._reading.run(read)

    async def fetch(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of one statement, read on the reading thread."""
        return await self.read(lambda c: c.execute(statement, values).fetchall())

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self.writer.in_transaction:  # An earlier rollback failed.
                self.writer.execute("ROLLBACK")
            self.writer.execute("BEGIN IMMEDIATE")
            result = work(self.writer)
            self.writer.execute("COMMIT")
        except Exception as error:
            if self.writer.in_transaction:  # SQLite rolls back after some errors.
                with contextlib.suppress(sqlite3.Error):
                    self.writer.execute("ROLLBACK")
            raise _translate_error(error) from error
        self._checkpoints.record_changes(self.writer.total_changes)
        return result

    async def close(self) -> None:
        """Finish the submitted work and close all connections."""
        await asyncio.to_thread(self._checkpoints.stop)
        for thread in (self._reading, self.writing):
            await asyncio.to_thread(thread.stop)
        for connection in (self.points, self.reader, self.writer):
            connection.close()
        self._checkpoints.close()


@asynccontextmanager
async def open_database(path: Path, checkpoint_rows: int = STEP_ROWS) -> AsyncIterator[Database]:
    """Open the database at the newest version of its schema, and close it at the end."""
    await asyncio.to_thread(migrate, path)
    database = Database(path, checkpoint_rows)
    try:
        yield database
    finally:
        await database.close()


def migrate(path: Path) -> list[str]:
    """Apply the missing migrations, one transaction each; return their file names.

    Raise sqlite3.DatabaseError for the schema of a newer version of Scoreboard.
    """
    path.touch(mode=0o600)  # The file holds the names of players. SQLite gives the log the same mode.
    connection = connect(path)
    applied = []
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        migrations = FILES.migrations()
        if version > migrations[-1].number:
            raise sqlite3.DatabaseError(f"a newer version of Scoreboard created its database (schema {version})")
        for number, file, script in migrations:
            if number > version:
                connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
                applied.append(file)
        # A killed process may have left the end of the log in the memory of the system only, after a sync that failed.
        # Copy and sync the log before anything is answered from it.
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        if busy:
            raise sqlite3.OperationalError("another program is using the database")
    finally:
        connection.close()
    return applied


def connect(path: Path, cache_kib: int = 2 * 1024) -> sqlite3.Connection:
    """Open a connection with the settings of durability."""
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


_DATA_ERRORS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


def _translate_error(error: Exception) -> Exception:
    """Return Unavailable for a database failure, and any other error unchanged."""
    if isinstance(error, MemoryError):
        return codes.STORAGE_FAILED.error("the server is out of memory", retry_after_s=5)
    if not isinstance(error, sqlite3.Error) or isinstance(error, _DATA_ERRORS):
        return error
    disk_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    if not disk_full:
        log.error("storage_failed", error=str(error), name=getattr(error, "sqlite_errorname", "unknown"))
    return storage_failure(disk_full=disk_full)


def folder_lock(folder: Path) -> int:
    """Lock the data folder; return the descriptor that holds the lock.

    Raise BlockingIOError when another process holds it.
    """
    import fcntl  # noqa: PLC0415 - it is missing on systems where SQLite cannot be used

    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
