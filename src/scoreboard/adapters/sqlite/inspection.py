"""Facts about a database file, which a server may be using."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoreboard.adapters.sqlite import database
from scoreboard.application.ports.ledger import MIN_EVENT_ID
from scoreboard.domain import event_id

LATEST_EVENT = database.statements("ledger.sql")["latest_event"]
QUICK_CHECK = "PRAGMA quick_check(5)"  # the number of faults that are shown


@dataclass(frozen=True, slots=True)
class Inspection:
    """The state of a database file.

    `version` is that of its schema, `newest` the newest schema of this program. `faults` are the first that SQLite
    finds, None without a check. `latest_instant` is the greatest `accepted_at`, in microseconds since 1970, or 0.
    """

    version: int
    newest: int
    journal_mode: str
    synchronous: int
    faults: list[str] | None
    file_bytes: int
    wal_bytes: int
    latest_instant: int


def inspect(path: Path, *, check: bool) -> Inspection:
    """Inspect the file; with `check`, read all of it, which delays checkpoints.

    Raise sqlite3.Error for a file that is no database or cannot be read.
    """
    wal = Path(f"{path}-wal")
    with closing(database.connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")

        def value(sql: str) -> Any:
            return connection.execute(sql).fetchone()[0]

        version = value("PRAGMA user_version")
        return Inspection(
            version,
            database.FILES.migrations()[-1].number,
            value("PRAGMA journal_mode"),
            value("PRAGMA synchronous"),
            [row[0] for row in connection.execute(QUICK_CHECK) if row[0] != "ok"] if check else None,
            path.stat().st_size,
            wal.stat().st_size if wal.exists() else 0,
            event_id.accepted_at(value(LATEST_EVENT) or MIN_EVENT_ID) if version else 0,
        )
