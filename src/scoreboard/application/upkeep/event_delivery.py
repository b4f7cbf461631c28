"""Event delivery: send the events of the outbox to each consumer at its pace."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from scoreboard.application.ports.outbox import ROW_EVENTS, Backlog, EventConsumer, Outbox, ScoreUpdated
from scoreboard.concurrency.backoff import Backoff
from scoreboard.concurrency.every import every
from scoreboard.domain.errors import Unavailable, describe_error

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """The sizes, time-outs and periods of event delivery."""

    read_events: int = 1_000  # the most in one call of a consumer
    read_bytes: int = 1024**2
    handle_s: float = 60.0  # the time-out of a call
    backoff: Backoff = Backoff(first_s=0.1, longest_s=60.0)
    poll_s: float = 0.5  # for events of other processes; a commit of this process ends the wait
    gather_s: float = 0.1  # between two reads of few events, since each moves a cursor in a transaction
    measure_s: float = 5.0  # between two measurements of the backlogs
    measure_share: int = 20  # measurements take at most one part in so many of the time
    backlog_bytes: int = 1024**3  # a consumer that is further behind skips to the end
    unregister_s: float = 600.0  # long enough for a rolling deployment to end the processes with another configuration
    trim_pause_s: float = 0.02  # for updates to be committed between two removals of rows


class EventDelivery:
    """Independent deliveries: a consumer that fails or blocks does not delay another.

    `delivered` and `failures` count the events and failed calls of this process by consumer. `backlogs` are the last
    measured ones by consumer, and empty in a process that does not measure them.
    """

    def __init__(
        self, outbox: Outbox, consumers: Sequence[EventConsumer], limits: DeliveryLimits = DeliveryLimits()
    ) -> None:
        """Raise ValueError when two consumers have the same name."""
        self._outbox = outbox
        self._consumers = {consumer.name: consumer for consumer in consumers}
        if len(self._consumers) < len(consumers):
            raise ValueError("two event consumers have the same name; give each a different one")
        self._limits = limits
        self.delivered = Counter[str](dict.fromkeys(self._consumers, 0))
        self.failures = Counter[str](dict.fromkeys(self._consumers, 0))
        self.backlogs: Mapping[str, Backlog] = {}

    async def start(self) -> None:
        """Register the consumers: they get what is committed later, but nothing before."""
        if self._consumers:
            await self._outbox.register(list(self._consumers))

    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the jobs by name. Each runs in one process at a time, until cancelled."""
        deliveries = {f"events {name}": partial(self._deliver, consumer) for name, consumer in self._consumers.items()}
        return {**deliveries, "outbox": self._maintain}

    async def _deliver(self, consumer: EventConsumer) -> None:
        failures = 0
        while True:
            try:
                await self._deliver_once(consumer)
                failures = 0
            except Exception as error:  # of the store or of the handler: both are retried
                failures += 1
                pause_s = self._limits.backoff.pause_s(failures)
                name = consumer.name
                if isinstance(error, _HandlerFailed):
                    self.failures[name] += 1
                    log.warning("event_consumer_failed", consumer=name, error=str(error), retry_in_s=round(pause_s, 1))
                elif isinstance(error, Unavailable):
                    log.debug("event_delivery_postponed", consumer=name, code=error.code)
                else:
                    log.exception("event_delivery_failed", consumer=name)
                await asyncio.sleep(pause_s)

    async def _deliver_once(self, consumer: EventConsumer) -> None:
        """Deliver the next events, or wait until there may be some."""
        limits = self._limits
        added = self._outbox.added()  # taken before the read, so that no later commit goes unnoticed
        pending = await self._outbox.read(consumer.name, limits.read_events, limits.read_bytes)
        if pending is None:
            log.error("event_consumer_restarted", consumer=consumer.name, remedy="it missed events: resynchronize it")
            await self._outbox.register([consumer.name])
        elif not pending.events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.poll_s):
                    await added.wait()
        else:
            await self._handle(consumer, pending.events)
            await self._outbox.advance(consumer.name, pending.position)
            self.delivered[consumer.name] += len(pending.events)
            if len(pending.events) < ROW_EVENTS:  # a longer read may have been cut short: continue at once
                await asyncio.sleep(limits.gather_s)

    async def _handle(self, consumer: EventConsumer, events: Sequence[ScoreUpdated]) -> None:
        try:
            async with asyncio.timeout(self._limits.handle_s):
                await consumer.handle(events)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _HandlerFailed("the handler cancelled itself") from error  # this delivery was not
        except Exception as error:
            raise _HandlerFailed(describe_error(error)) from error

    async def _maintain(self) -> None:
        loop, limits = asyncio.get_running_loop(), self._limits
        began, cost_s = loop.time(), 0.0
        # Without consumers no events are written: what is left is removed once.
        period_s = limits.measure_s if self._consumers else limits.unregister_s

        async def maintain() -> None:
            nonlocal cost_s
            await asyncio.sleep(max(0.0, limits.measure_share * cost_s - period_s))
            started = loop.time()
            try:
                await self.maintain_once(unregister=started - began >= limits.unregister_s)
            finally:
                cost_s = loop.time() - started

        try:
            await every(period_s, maintain, "outbox")
        finally:
            self.backlogs = {}

    async def maintain_once(self, *, unregister: bool) -> None:
        """Measure the backlogs, skip those that are too large, and remove delivered rows.

        Cursors of consumers that are not configured would keep their rows: `unregister` removes them first.
        """
        if unregister:
            for name in await self._outbox.unregister(list(self._consumers)):
                log.info("event_consumer_forgotten", consumer=name)
        backlogs = await self._outbox.backlogs()
        for name, backlog in backlogs.items():
            if backlog.size > self._limits.backlog_bytes:
                skipped = await self._outbox.skip(name)
                remedy = "it missed these events: fix it, then resynchronize it"
                log.error("event_consumer_skipped", consumer=name, events=skipped, bytes=backlog.size, remedy=remedy)
        self.backlogs = backlogs
        while await self._outbox.trim():  # noqa: ASYNC110 - the pause lets updates through
            await asyncio.sleep(self._limits.trim_pause_s)


class _HandlerFailed(Exception):
    """The cause of a consumer's failed call."""
