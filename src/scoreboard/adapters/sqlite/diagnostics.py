"""Findings about a database file and the clock of this machine, for `scoreboard doctor`."""

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
CHECKED_BESIDE_A_SERVER = GIB // 4  # bytes of a database that is read whole while a server commits to it
AHEAD_US = 1_000_000  # by which the newest update may be ahead of the clock
RELEASED = 2026
RESTORE = "stop the server, keep a copy of the folder, and restore a backup"


def diagnose_store(path: Path, *, served: bool) -> tuple[list[Finding], bool]:
    """Return the findings, and whether this version can open the store without changing it."""
    if not path.exists():
        return [Finding("store", "ok", "there is none yet; `scoreboard serve` makes it")], False
    check = not served or path.stat().st_size <= CHECKED_BESIDE_A_SERVER
    try:
        store = inspect(path, check=check)
    except (sqlite3.Error, OSError) as error:
        return [Finding("store", "problem", f"it cannot be read: {error}", RESTORE)], False
    findings = [_schema(store), _faults(store), _durability(store), *_log(store), _clock(store)]
    return findings, store.version == store.newest and not store.faults


def _schema(store: Inspection) -> Finding:
    text = f"schema {store.version} of {store.newest}, {store.file_bytes / 2**20:,.1f} MiB"
    if store.version > store.newest:
        return Finding("store", "problem", f"{text}: a newer Scoreboard made it", "run that version")
    if store.version < store.newest:
        return Finding("store", "warning", text, "scoreboard migrate (`serve` does so, too)")
    return Finding("store", "ok", text)


def _faults(store: Inspection) -> Finding:
    if store.faults is None:
        return Finding(
            "store", "ok", "too large to be read whole while a server runs: run this again when it is stopped"
        )
    if store.faults:
        return Finding("store", "problem", f"it is damaged: {'; '.join(store.faults)}", RESTORE)
    return Finding("store", "ok", "SQLite finds no fault in it")


def _durability(store: Inspection) -> Finding:
    if store.journal_mode != "wal" or store.synchronous < 2:
        text = f"journal {store.journal_mode}, synchronous {store.synchronous}: a commit may be lost with the power"
        return Finding("store", "problem", text, "let nothing else change the settings of the database")
    return Finding("store", "ok", "a commit is on the disk before it is answered (write-ahead log, synchronous FULL)")


def _log(store: Inspection) -> Iterator[Finding]:
    if store.wal_bytes > LARGE_WAL:
        yield Finding(
            "store",
            "warning",
            f"the write-ahead log has {store.wal_bytes / GIB:,.1f} GiB: something reads the database for a long time",
            "end other programs that have it open (lsof), or restart the server",
        )


def _clock(store: Inspection) -> Finding:
    now = time.time_ns() // 1_000
    ahead = store.latest_instant - now
    if datetime.fromtimestamp(now / 1e6, UTC).year < RELEASED:
        return Finding("clock", "problem", f"it is {instant.to_text(now)} by the clock", "set it, and keep it by NTP")
    if ahead > AHEAD_US:
        return Finding(
            "clock",
            "problem",
            f"the newest update is {ahead / 1e6:,.0f} s ahead of the clock: new ones get later instants than they have",
            "set the clock, and keep it by NTP",
        )
    return Finding("clock", "ok", "the clock is not behind the newest update")
