"""The walk of retention through receipts and refusals, in the order of their keys.

Facts are keyed by the hour of their expiry. No index finds other old rows: it would cost every update more than a full
read costs now and then. `docs/decisions/0009-retention.md` has the figures.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

from scoreboard.application.ports.ledger import PurgeResult
from scoreboard.domain import event_id
from scoreboard.domain.facts import HOUR_US

Key: TypeAlias = tuple[object, ...]


class ReceiptPurger(ABC):
    """A pass over the tables, one step per call.

    `tables` names them, each with a key below all others. Receipts come before refusals, because no receipt may lead to
    a refusal that is removed.
    """

    def __init__(self, tables: Mapping[str, Key]) -> None:
        self._tables = tables
        self._remaining: list[str] = []
        self._after: Key = ()
        self._limits: dict[str, object] = {}

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        """Remove some old rows, as in the port. The next call repeats a failed step."""
        removed, more = await self.remove_facts(facts_before // HOUR_US)
        if more:
            return PurgeResult(removed, complete=False)
        if not self._remaining:
            oldest = event_id.make(before, 0)
            self._limits = {"receipts": oldest, "refusals": oldest, "uses": facts_before}
            self._remaining = list(self._tables)
            self._after = self._tables[self._remaining[0]]
        table = self._remaining[0]
        last, count = await self.purge_step(table, self._after, self._limits[table])
        if last is not None:
            self._after = last
        else:
            del self._remaining[0]
            self._after = self._tables[self._remaining[0]] if self._remaining else ()
        return PurgeResult(removed + count, complete=not self._remaining)

    @abstractmethod
    async def remove_facts(self, hour: int) -> tuple[int, bool]:
        """Remove some expired facts; return their number, and whether more may exist."""

    @abstractmethod
    async def purge_step(self, table: str, after: Key, limit: object) -> tuple[Key | None, int]:
        """Read some rows after a key, and remove those that are older than the limit.

        Return the last key that was read, None at the end of the table, and the number of removed rows.
        """
