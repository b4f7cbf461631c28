"""Checkpoints, which copy the write-ahead log into the database file.

A commit waits for its own write to the log. It must not wait for the end of a checkpoint as well, when SQLite syncs the
database file. Only after that may the log restart. So a thread of low priority copies and syncs while commits continue.
The writing thread then copies the few remaining pages between two transactions.

The log file never shrinks, because overwriting is cheaper than appending. Its size does not show how much of it is in
use, so the changes of the writer are counted instead.
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

STEP_ROWS = 5_000  # some 8 MiB of log
ROUNDS = 2  # The second copies only the pages that were added during the first.
NICENESS = 10  # Updates come first where cores are few.
EXIT_STATUS = 74  # EX_IOERR of sysexits.h

_sync = os.fdatasync if sys.platform == "linux" else os.fsync


class Checkpoints:
    """The checkpointing thread.

    `connect` opens a connection. `on_writer` runs a function on the writing thread, with the writing connection. A
    checkpoint is due after `step_rows` changed rows.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        on_writer: Callable[[Callable[[sqlite3.Connection], Any]], "Future[Any]"],
        step_rows: int,
    ) -> None:
        self._connect = connect
        self._on_writer = on_writer
        self._step_rows = step_rows
        # It is closed after all connections: closing any descriptor of a file releases all locks of the process on it.
        self._file = os.open(path, os.O_RDWR)
        self._rows = 0
        self._due = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoint", daemon=True)
        self._thread.start()

    def record_changes(self, rows: int) -> None:
        """Record the total of changed rows, on the writing thread after a commit."""
        if not 0 <= rows - self._rows < self._step_rows:
            self._rows = rows
            self._due.set()

    def stop(self) -> None:
        """Wait for the running checkpoint, before the writing thread stops."""
        self._closing = True
        self._due.set()
        self._thread.join()

    def close(self) -> None:
        """Close the file, after all connections are closed."""
        os.close(self._file)

    def _run(self) -> None:
        if sys.platform == "linux":  # where each thread has its own priority
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
        connection = self._connect()
        while self._due.wait() and not self._closing:
            self._due.clear()
            try:
                self._copy(connection)
            except OSError as error:
                _exit(error)
            except Exception as error:
                log.warning("checkpoint_failed", error=str(error))  # The next one copies these pages too.
        connection.close()

    def _copy(self, connection: sqlite3.Connection) -> None:
        """Copy the log. Raise OSError when the database file could not be synced.

        Linux reports a failed sync once per descriptor, so the last sync here sees a failure of SQLite's. Other errors
        of SQLite do not matter: they may repeat that of a failed commit.
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


def _exit(error: Exception) -> NoReturn:
    """Exit at once, because the database file could not be synced.

    The system may have dropped the unwritten pages, and reports that once. Another sync would succeed without them, and
    SQLite would restart the log. Closing the last connection would do the same. The log is intact, and the next start
    copies all of it.
    """
    log.critical(
        "database_not_synced",
        error=str(error),
        remedy="check the disk, then restart: no acknowledged update is lost",
    )
    sys.stderr.flush()
    os._exit(EXIT_STATUS)
