"""Findings about a database file and the clock, for `scoreboard doctor`."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scoreboard.adapters.sqlite.inspection import Inspection, inspect
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.domain import instant

GIB = 1 << 30
LARGE_WAL = GIB
MAX_CHECKED_WHILE_SERVED = GIB // 4  # bytes of a database that is checked while a server commits to it
AHEAD_US = 1_000_000  # The newest update may be this far ahead of the clock.
RELEASED = 2026
RESTORE = "stop the server, keep a copy of the folder, and restore a backup"


def diagnose_store(path: Path, *, served: bool) -> tuple[list[Finding], bool]:
    """Return the findings, and whether the store is usable without a migration."""
    if not path.exists():
        return [Finding("store", "ok", "there is no database yet; `scoreboard serve` creates it")], False
    check = not served or path.stat().st_size <= MAX_CHECKED_WHILE_SERVED
    try:
        store = inspect(path, check=check)
    except (sqlite3.Error, OSError) as error:
        return [Finding("store", "problem", f"the database cannot be read: {error}", RESTORE)], False
    findings = [_schema(store), _faults(store), _durability(store), *_log(store), _clock(store)]
    return findings, store.version == store.newest and not store.faults


def _schema(store: Inspection) -> Finding:
    text = f"schema version {store.version} of {store.newest}, {store.file_bytes / 2**20:,.1f} MiB"
    if store.version > store.newest:
        return Finding("store", "problem", f"{text}: a newer Scoreboard created it", "run that version of Scoreboard")
    if store.version < store.newest:
        return Finding("store", "warning", text, "scoreboard migrate (`serve` does so too)")
    return Finding("store", "ok", text)


def _faults(store: Inspection) -> Finding:
    if store.faults is None:
        return Finding("store", "ok", "too large to check while a server is running; stop the server to check it")
    if store.faults:
        return Finding("store", "problem", f"the database is damaged: {'; '.join(store.faults)}", RESTORE)
    return Finding("store", "ok", "SQLite finds no errors in it")


def _durability(store: Inspection) -> Finding:
    if store.journal_mode != "wal" or store.synchronous < 2:
        text = f"journal {store.journal_mode}, synchronous {store.synchronous}: a power failure may lose a commit"
        return Finding("store", "problem", text, "do not let other programs change the settings of the database")
    return Finding("store", "ok", "commits reach the disk before they are acknowledged (WAL, synchronous FULL)")


def _log(store: Inspection) -> Iterator[Finding]:
    if store.wal_bytes > LARGE_WAL:
        yield Finding(
            "store",
            "warning",
            f"the write-ahead log is {store.wal_bytes / GIB:,.1f} GiB: "
            "a program has been reading the database for a long time",
            "stop other programs that have it open (lsof), or restart the server",
        )


def _clock(store: Inspection) -> Finding:
    now = time.time_ns() // 1_000
    ahead = store.latest_instant - now
    if datetime.fromtimestamp(now / 1e6, UTC).year < RELEASED:
        return Finding(
            "clock", "problem", f"it shows {instant.to_text(now)}", "set the clock, and synchronize it with NTP"
        )
    if ahead > AHEAD_US:
        return Finding(
            "clock",
            "problem",
            f"the newest update is {ahead / 1e6:,.0f} s ahead of the clock: new updates are dated after it",
            "set the clock, and synchronize it with NTP",
        )
    return Finding("clock", "ok", "the clock is not behind the newest update")
