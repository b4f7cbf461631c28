"""Checkpoints: the write-ahead log is copied into the database file, often and a little at a time.

A commit waits for its own write to the log. What it could wait for besides is the end of a checkpoint, when SQLite
syncs the database file with all that was copied; only then may the log begin anew. So a thread of its own, which gives
way to the others, copies and syncs while commits go on, and the writing thread, between two transactions, is left with
the few pages that came meanwhile. The log's file never shrinks, as to write over it is cheaper than to append, so its
size does not say how much of it is in use: what the writer changed does.
"""

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn

import structlog

log = structlog.get_logger(__name__)

STEP_ROWS = 5_000  # written before they are copied: some 8 MiB of log
ROUNDS = 2  # the second has only what came during the first
NICENESS = 10  # where cores are few, updates go first
EXIT_STATUS = 74  # EX_IOERR of sysexits.h

_sync = os.fdatasync if sys.platform == "linux" else os.fsync


class Checkpoints:
    """`connect` opens a connection; `on_writer` runs something on the writing thread, with the writing connection."""

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        on_writer: Callable[[Callable[[sqlite3.Connection], Any]], "Future[Any]"],
    ) -> None:
        self._connect = connect
        self._on_writer = on_writer
        # Closed after every connection: closing any descriptor of a file ends all locks that the process has on it.
        self._file = os.open(path, os.O_RDWR)
        self._rows = 0
        self._due = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)
        self._thread.start()

    def written(self, rows: int) -> None:
        """The writer has changed so many rows in all. To be called by the writing thread."""
        if not 0 <= rows - self._rows < STEP_ROWS:
            self._rows = rows
            self._due.set()

    def stop(self) -> None:
        """Returns when no checkpoint runs any more. The writing thread must still run."""
        self._closing = True
        self._due.set()
        self._thread.join()

    def close(self) -> None:
        """After every connection is closed."""
        os.close(self._file)

    def _run(self) -> None:
        _give_way()
        connection = self._connect()
        while self._due.wait() and not self._closing:
            self._due.clear()
            try:
                self._copy(connection)
            except OSError as error:
                _end(error)
            except Exception as error:
                log.warning("checkpoint_failed", error=str(error))  # what was not copied will be, after the next step
        connection.close()

    def _copy(self, connection: sqlite3.Connection) -> None:
        """Raises OSError when the database file could not be synced, by us or by SQLite: Linux tells each descriptor of
        a file once. Without that an error of SQLite does not matter: it may be the echo of a commit that failed.
        """
        try:
            for _ in range(ROUNDS):
                checkpoint(connection)
                _sync(self._file)
            self._on_writer(checkpoint).result()
        finally:
            _sync(self._file)


def checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _give_way() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _end(error: Exception) -> NoReturn:
    """End the process at once, because the database file could not be synced.

    The system may have dropped what it could not write, and says so only once: another sync would succeed without it,
    and SQLite would let the log begin anew. Nor may a connection be closed, as the last one would do just that. The log
    itself is safe: the next start copies all of it again.
    """
    log.critical(
        "database_not_synced",
        error=str(error),
        remedy="look after the disk, then start again: nothing that was acknowledged is lost",
    )
    sys.stderr.flush()
    os._exit(EXIT_STATUS)
