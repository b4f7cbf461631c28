"""Retention in PostgreSQL: each step reads and removes rows in one transaction."""

from scoreboard.adapters.postgres.database import Database, statements
from scoreboard.adapters.sql.purging import Key, ReceiptPurger

SQL = statements("purging.sql")
STEP_ROWS = 2_000  # read, and at most removed, in one transaction


class PostgresPurger(ReceiptPurger):
    """The steps of retention in PostgreSQL.

    `uses` belongs to the previous version of Scoreboard, which may run at the same time.
    """

    def __init__(self, database: Database) -> None:
        super().__init__({"receipts": (0, ""), "refusals": (b"",), "uses": (0, "", 0, 0)})
        self._database = database

    async def remove_facts(self, hour: int) -> tuple[int, bool]:
        ((removed,),) = await self._database.fetch(SQL["facts"], hour, STEP_ROWS)
        return removed, removed == STEP_ROWS

    async def purge_step(self, table: str, after: Key, limit: object) -> tuple[Key | None, int]:
        rows = await self._database.fetch(SQL[table], *after, limit, STEP_ROWS)
        *last, read, removed = rows[0] if rows else (0, 0)
        return tuple(last) if read == STEP_ROWS else None, removed
