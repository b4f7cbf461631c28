"""Retention in SQLite, with long reads and small transactions."""

from scoreboard.adapters.sql.purging import Key, ReceiptPurger
from scoreboard.adapters.sqlite.database import Database, statements

SQL = statements("purging.sql")
READ_ROWS = 5_000  # one step reads them in some 3 ms
REMOVE_ROWS = 500  # in one transaction, which takes about as long as a batch of updates


class SqlitePurger(ReceiptPurger):
    """The steps of retention in SQLite."""

    def __init__(self, database: Database, read_rows: int = READ_ROWS, max_removed: int = REMOVE_ROWS) -> None:
        super().__init__({"receipts": (0, ""), "refusals": (b"",)})
        self._database = database
        self._read_rows = read_rows
        self._max_removed = max_removed

    async def remove_facts(self, hour: int) -> tuple[int, bool]:
        values = hour, self._max_removed
        removed = await self._database.write(lambda c: c.execute(SQL["remove_facts"], values).rowcount)
        return removed, removed == self._max_removed

    async def purge_step(self, table: str, after: Key, limit: object) -> tuple[Key | None, int]:
        rows = await self._database.fetch(SQL[f"{table}_after"], *after, limit, self._read_rows)
        old = [(*key, limit) for *key, is_old in rows if is_old]
        removed = 0
        for start in range(0, len(old), self._max_removed):
            removed += await self.remove_rows(table, old[start : start + self._max_removed])
        return tuple(rows[-1][:-1]) if len(rows) == self._read_rows else None, removed

    async def remove_rows(self, table: str, keys: list[Key]) -> int:
        return await self._database.write(lambda c: c.executemany(SQL[f"remove_from_{table}"], keys).rowcount)
