"""Retention: delete receipts, refusals and facts after their retention period."""

import asyncio

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Ledger

log = structlog.get_logger(__name__)

PAUSE_S = 0.25  # between two steps, so that a pass causes little load
DAY_US = 86_400 * 1_000_000
FACTS_DAYS = 2  # kept after their end, because a queued update may be applied that much later


class Retention:
    """The job that purges the ledger. Receipts and refusals are kept for `days` days."""

    def __init__(self, ledger: Ledger, clock: Clock, days: int, pause_s: float = PAUSE_S) -> None:
        self._ledger = ledger
        self._clock = clock
        self._days = days
        self._pause_s = pause_s

    async def once(self) -> int:
        """Purge all expired rows, and return their number. After an error, continue there."""
        now = self._clock()
        removed = 0
        while True:
            step = await self._ledger.purge(now - self._days * DAY_US, now - FACTS_DAYS * DAY_US)
            removed += step.removed
            if step.complete:
                break
            await asyncio.sleep(self._pause_s)
        if removed:
            log.info("retention", removed=removed)
        return removed
