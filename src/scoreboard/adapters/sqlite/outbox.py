"""SqliteOutbox: events and cursors in the database of the ledger."""

import asyncio
import sqlite3
from collections.abc import Collection, Mapping

import msgspec

from scoreboard.adapters.sqlite.database import Database, insert, statements
from scoreboard.application.ports.ledger import Decision
from scoreboard.application.ports.outbox import (
    Arrival,
    Backlog,
    OutboxPosition,
    PendingEvents,
    ScoreUpdated,
    decode,
    encode,
)

SQL = statements("outbox.sql")
STEP_ROWS = 200  # removed in one transaction, which the next batch of updates waits for


class SqliteOutbox:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._arrival = Arrival()

    def write(self, c: sqlite3.Connection, decision: Decision) -> None:
        """Add the events of a batch, in its transaction."""
        insert(c, SQL["add"], encode(decision))

    def committed(self) -> None:
        """Wake the readers of this process."""
        self._arrival.notify()

    async def register(self, consumers: Collection[str]) -> None:
        await self._database.write(lambda c: c.execute(SQL["register"], (_json(consumers),)))

    async def unregister(self, keep: Collection[str]) -> list[str]:
        def forget(c: sqlite3.Connection) -> list[str]:
            return [name for (name,) in c.execute(SQL["forget"], (_json(keep),)).fetchall()]

        return await self._database.write(forget)

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
        return await self._database.write(lambda c: c.execute(SQL["trim"], (STEP_ROWS,)).rowcount)

    async def backlogs(self) -> Mapping[str, Backlog]:
        rows = await self._database.read(lambda c: c.execute(SQL["backlogs"]).fetchall())
        return {name: Backlog(*numbers) for name, *numbers in rows}

    def added(self) -> asyncio.Event:
        return self._arrival.next()


def _json(names: Collection[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
