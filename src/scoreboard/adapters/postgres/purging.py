"""Forgetting: old receipts and refusals are found by going through the tables in the order of their keys.

Facts are keyed by when they expire. No index tells what else is old, as it would cost every update more than to look at
all rows now and then.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from scoreboard.adapters.postgres.database import Database, statements
from scoreboard.application.ports.ledger import PurgeResult
from scoreboard.domain import event_id
from scoreboard.domain.facts import HOUR_US

SQL = statements("purging.sql")
STEP = 2_000  # rows looked at, and at the most removed, in one transaction

_Key: TypeAlias = tuple[object, ...]

# In this order: when the refusals go, no receipt leads to them any more.
TABLES: dict[str, _Key] = {"receipts": (0, ""), "refusals": (b"",), "uses": (0, "", 0, 0)}
"""Each with a key below all others. `uses` is of the version before, which may run beside this one."""


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
        ((facts,),) = await self._database.fetch(SQL["facts"], facts_before // HOUR_US, STEP)
        if facts == STEP:
            return PurgeResult(facts, complete=False)
        if self._pass is None:
            first = event_id.make(before, 0)
            self._pass = _Pass({"receipts": first, "refusals": first, "uses": facts_before})
        here = self._pass
        table = here.tables[0]
        rows = await self._database.fetch(SQL[table], *here.after, here.limits[table], STEP)
        *last, looked, removed = rows[0] if rows else (0, 0)
        if looked == STEP:
            here.after = tuple(last)
        else:
            self._next_table(here)
        return PurgeResult(facts + removed, complete=self._pass is None)

    def _next_table(self, here: _Pass) -> None:
        del here.tables[0]
        if here.tables:
            here.after = TABLES[here.tables[0]]
        else:
            self._pass = None
