"""Forgetting: old receipts and refusals are found by going through the tables in the order of their keys.

Facts are keyed by when they expire. No index tells what else is old. Receipts have random keys, and an index by their
time would cost every update more than it costs to read them all now and then, on the reading thread
(docs/decisions/0009-retention.md has the figures).
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from scoreboard.adapters.sqlite.database import Database, statements
from scoreboard.application.ports.ledger import PurgeResult
from scoreboard.domain import event_id
from scoreboard.domain.facts import HOUR_US

SQL = statements("purging.sql")
READ = 5_000  # rows at a time: some 3 ms
REMOVED = 500  # rows in one transaction: about as long as a batch of updates takes

_Key: TypeAlias = tuple[object, ...]

# In this order: when the refusals go, no receipt leads to them any more.
TABLES: dict[str, _Key] = {"receipts": (0, ""), "refusals": (b"",)}
"""Each with a key below all others."""


@dataclass(slots=True)
class _Pass:
    """`limits` are what a row has to be older than, by table; `after` the last key that was looked at in the first."""

    limits: dict[str, object]
    tables: list[str] = field(default_factory=lambda: list(TABLES))
    after: _Key = TABLES["receipts"]


class ReceiptPurger:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._pass: _Pass | None = None

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        """As in the port. What fails is looked at again by the next call."""
        expired = facts_before // HOUR_US, REMOVED
        facts = await self._database.write(lambda c: c.execute(SQL["remove_facts"], expired).rowcount)
        if facts == REMOVED:
            return PurgeResult(facts, complete=False)
        if self._pass is None:
            first = event_id.make(before, 0)
            self._pass = _Pass({"receipts": first, "refusals": first})
        here = self._pass
        table, limit = here.tables[0], here.limits[here.tables[0]]
        rows = await self._database.read(
            lambda c: c.execute(SQL[f"{table}_after"], (*here.after, limit, READ)).fetchall()
        )
        old = [(*key, limit) for *key, is_old in rows if is_old]
        removed = facts
        for start in range(0, len(old), REMOVED):
            removed += await self._remove(table, old[start : start + REMOVED])
        if len(rows) == READ:
            here.after = tuple(rows[-1][:-1])
        else:
            self._next_table(here)
        return PurgeResult(removed, complete=self._pass is None)

    async def _remove(self, table: str, keys: list[_Key]) -> int:
        return await self._database.write(lambda c: c.executemany(SQL[f"remove_from_{table}"], keys).rowcount)

    def _next_table(self, here: _Pass) -> None:
        del here.tables[0]
        if here.tables:
            here.after = TABLES[here.tables[0]]
        else:
            self._pass = None
