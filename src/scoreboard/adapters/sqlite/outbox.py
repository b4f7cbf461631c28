"""The outbox in SQLite."""

import sqlite3
from collections.abc import Collection, Mapping

import msgspec

from scoreboard.adapters.sql.outbox import SqlOutbox, to_backlogs
from scoreboard.adapters.sqlite.database import Database, insert, statements
from scoreboard.application.ports.ledger import Decision
from scoreboard.application.ports.outbox import Backlog, OutboxPosition, PendingEvents, ScoreUpdated, decode, encode

SQL = statements("outbox.sql")
TRIM_ROWS = 200  # removed in one transaction, which delays the next batch of updates


class SqliteOutbox(SqlOutbox):
    """Events and cursors in the database of the ledger."""

    def __init__(self, database: Database, trim_rows: int = TRIM_ROWS) -> None:
        super().__init__()
        self._database = database
        self._trim_rows = trim_rows

    def write(self, c: sqlite3.Connection, decision: Decision) -> None:
        """Add the events of a batch, in its transaction."""
        insert(c, SQL["add"], encode(decision))

    async def register(self, consumers: Collection[str]) -> None:
        await self._database.write(lambda c: c.execute(SQL["register"], (_json(consumers),)))

    async def unregister(self, keep: Collection[str]) -> list[str]:
        rows = await self._database.write(lambda c: c.execute(SQL["unregister"], (_json(keep),)).fetchall())
        return [name for (name,) in rows]

    async def read(self, consumer: str, max_events: int, max_bytes: int) -> PendingEvents | None:
        def read(c: sqlite3.Connection) -> PendingEvents | None:
            found = c.execute(SQL["cursor"], (consumer,)).fetchone()
            if found is None:
                return None
            (last,) = found
            events = list[ScoreUpdated]()
            left = max_bytes
            for number, size, row in c.execute(SQL["read"], (last,)):
                left -= len(row)
                if events and (left < 0 or len(events) + size > max_events):
                    break
                events += decode(row)
                last = number
            return PendingEvents(events, (0, last))

        return await self._database.read(read)

    async def advance(self, consumer: str, position: OutboxPosition) -> None:
        await self._database.write(lambda c: c.execute(SQL["advance"], (consumer, position[1])))

    async def skip(self, consumer: str) -> int:
        def skip(c: sqlite3.Connection) -> int:
            (missed,) = c.execute(SQL["missed"], (consumer,)).fetchone()
            c.execute(SQL["skip"], (consumer, missed))
            return int(missed)

        return await self._database.write(skip)

    async def trim(self) -> int:
        return await self._database.write(lambda c: c.execute(SQL["trim"], (self._trim_rows,)).rowcount)

    async def backlogs(self) -> Mapping[str, Backlog]:
        return to_backlogs(await self._database.fetch(SQL["backlogs"]))


def _json(names: Collection[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
