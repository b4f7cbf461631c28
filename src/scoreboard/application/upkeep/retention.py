"""Retention: receipts, refusals and facts are removed when nobody can need them any more."""

import asyncio

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Ledger
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)

EVERY_S = 3_600.0
PAUSE_S = 0.25  # between two steps, so that a pass takes a small part of the time whatever there is to look at
DAY_US = 86_400 * 1_000_000
FACTS_DAYS = 2  # after their end: a queued update may be applied that much later


class Retention:
    """`days` is how long an idempotency key is remembered, and a refusal."""

    def __init__(self, ledger: Ledger, clock: Clock, days: int) -> None:
        self._ledger = ledger
        self._clock = clock
        self._days = days

    async def run(self) -> None:
        """For ever, a pass every hour."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.debug("retention_put_off", code=error.code)  # what is away was said where it was found
            except Exception:
                log.exception("retention_failed")  # the next goes on where this one ended
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """One pass over all there is; returns how many rows went."""
        now = self._clock()
        removed = 0
        while True:
            step = await self._ledger.purge(now - self._days * DAY_US, now - FACTS_DAYS * DAY_US)
            removed += step.removed
            if step.complete:
                break
            await asyncio.sleep(PAUSE_S)
        if removed:
            log.info("retention", removed=removed)
        return removed
