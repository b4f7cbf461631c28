"""Inspection: facts about a database file, found without changing it, also while a server has it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from scoreboard.adapters.sqlite import database
from scoreboard.domain import event_id

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Inspection:
    """`version` of the schema, and the `newest` that this program knows. `faults` are the first few that SQLite finds;
    None when it did not look. `latest_instant` is the greatest `accepted_at`, 0 when there is none."""

    version: int
    newest: int
    journal_mode: str
    synchronous: int
    faults: list[str] | None
    file_bytes: int
    wal_bytes: int
    latest_instant: int


def inspect(path: Path, *, check: bool) -> Inspection:
    """`check` reads the whole file, and for as long no commit's log can be cleared. Raises sqlite3.Error for what is no
    database, or cannot be read."""
    wal = Path(f"{path}-wal")
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")

        def value(sql: str) -> int | str:
            found: int | str = connection.execute(sql).fetchone()[0]
            return found

        version = int(value("PRAGMA user_version"))
        return Inspection(
            version,
            database.newest_schema(),
            str(value("PRAGMA journal_mode")),
            int(value("PRAGMA synchronous")),
            _faults(connection) if check else None,
            path.stat().st_size,
            wal.stat().st_size if wal.exists() else 0,
            _latest_instant(connection) if version else 0,
        )


def _faults(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute(f"PRAGMA quick_check({SHOWN})") if row[0] != "ok"]


def _latest_instant(connection: sqlite3.Connection) -> int:
    (event,) = connection.execute(database.statements("ledger.sql")["latest_event"]).fetchone()
    return 0 if event is None else event_id.accepted_at(event)
