"""The outbox in PostgreSQL."""

from collections.abc import Collection, Mapping

from scoreboard.adapters.postgres.database import Connection, Database, statements
from scoreboard.adapters.sql.outbox import SqlOutbox, to_backlogs
from scoreboard.application.ports.ledger import Decision
from scoreboard.application.ports.outbox import Backlog, OutboxPosition, PendingEvents, ScoreUpdated, decode, encode

SQL = statements("outbox.sql")
TRIM_ROWS = 1_000  # removed in one transaction


class PostgresOutbox(SqlOutbox):
    """Events and cursors in the database of the ledger, for several processes.

    Events wait for every earlier transaction of the server, in any database. A transaction that is left open delays
    delivery, but no commit.
    """

    def __init__(self, database: Database, trim_rows: int = TRIM_ROWS) -> None:
        super().__init__()
        self._database = database
        self._trim_rows = trim_rows

    async def write(self, c: Connection, decision: Decision) -> None:
        """Add the events of a batch, in its transaction."""
        if rows := encode(decision):
            await c.fetch(SQL["add"], *zip(*rows, strict=True))

    async def register(self, consumers: Collection[str]) -> None:
        async def register(c: Connection) -> None:
            await c.fetch(SQL["restart_cursors"])
            await c.fetch(SQL["renumber_rows"])
            await c.fetch(SQL["register"], list(consumers))

        await self._database.transaction(register)

    async def unregister(self, keep: Collection[str]) -> list[str]:
        return [name for (name,) in await self._database.fetch(SQL["unregister"], list(keep))]

    async def read(self, consumer: str, max_events: int, max_bytes: int) -> PendingEvents | None:
        rows = await self._database.fetch(SQL["read"], consumer, max_events, max_bytes)
        if not rows:
            return None
        events = list[ScoreUpdated]()
        position = 0, 0
        for xid, number, row in rows:
            if row is not None:
                events += decode(row)
                position = xid, number
        return PendingEvents(events, position)

    async def advance(self, consumer: str, position: OutboxPosition) -> None:
        await self._database.fetch(SQL["advance"], consumer, *position)

    async def skip(self, consumer: str) -> int:
        rows = await self._database.fetch(SQL["skip"], consumer)
        return int(rows[0][0]) if rows else 0

    async def trim(self) -> int:
        return len(await self._database.fetch(SQL["trim"], self._trim_rows))

    async def backlogs(self) -> Mapping[str, Backlog]:
        return to_backlogs(await self._database.fetch(SQL["backlogs"]))
