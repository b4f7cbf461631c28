"""Event delivery: each consumer gets the events of the outbox at its own pace, and none waits for another."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from scoreboard.application.ports.outbox import ROW_EVENTS, Backlog, EventConsumer, Outbox, ScoreUpdated
from scoreboard.domain.errors import Unavailable, describe_error

log = structlog.get_logger(__name__)

READ_EVENTS = 1_000  # at most, in one call of a consumer
READ_BYTES = 1024**2
HANDLE_S = 60.0
POLL_S = 0.5  # for events of other processes; a commit of this one ends the wait
GATHER_S = 0.1  # between two reads of few events: each moves a cursor, which is a transaction
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 60.0  # after a failure; it doubles
BACKLOG_BYTES = 1024**3  # a consumer that is further behind continues at the present end
LOOK_EVERY_S = 5.0
LOOK_SHARE = 20  # measuring backlogs takes no more than this fraction of the time
FORGET_AFTER_S = 600.0  # by then a process with an outdated configuration has ended, in a rolling deployment
TRIM_PAUSE_S = 0.02


class EventDelivery:
    """`delivered` and `failures` count events and failed calls by consumer, in this process. `backlogs` are those last
    measured; a process that does not have the turn to measure them has none."""

    def __init__(self, outbox: Outbox, consumers: Sequence[EventConsumer]) -> None:
        """Raise ValueError when two consumers have the same name."""
        self._outbox = outbox
        self._consumers = {consumer.name: consumer for consumer in consumers}
        if len(self._consumers) < len(consumers):
            raise ValueError("two event consumers have the same name; give each a name of its own")
        self.delivered = Counter[str](dict.fromkeys(self._consumers, 0))
        self.failures = Counter[str](dict.fromkeys(self._consumers, 0))
        self.backlogs: Mapping[str, Backlog] = {}

    async def start(self) -> None:
        """Register the consumers. Await it before anything is committed: what is committed later is delivered."""
        if self._consumers:
            await self._outbox.register(list(self._consumers))

    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return the work for one process at a time, by name: one delivery a consumer, and the upkeep of the outbox."""
        deliveries = {f"events {name}": partial(self._deliver, consumer) for name, consumer in self._consumers.items()}
        return {**deliveries, "outbox": self._keep}

    async def _deliver(self, consumer: EventConsumer) -> None:
        """Deliver to one consumer until cancelled."""
        failures = 0
        while True:
            try:
                await self._deliver_some(consumer)
                failures = 0
            except Exception as error:
                failures += 1
                pause_s = retry_pause_s(failures)
                name = consumer.name
                if isinstance(error, _HandlerFailed):
                    self.failures[name] += 1
                    log.warning("event_consumer_failed", consumer=name, error=str(error), retry_in_s=round(pause_s, 1))
                elif isinstance(error, Unavailable):
                    log.debug("event_delivery_put_off", consumer=name, code=error.code)
                else:
                    log.exception("event_delivery_failed", consumer=name)
                await asyncio.sleep(pause_s)

    async def _deliver_some(self, consumer: EventConsumer) -> None:
        """Deliver the next events, or wait for some. Return when it is time to look again."""
        added = self._outbox.added()  # taken before the read, so that no later commit goes unnoticed
        pending = await self._outbox.read(consumer.name, READ_EVENTS, READ_BYTES)
        if pending is None:
            log.error("event_consumer_restarted", consumer=consumer.name, remedy="it missed events: synchronise it")
            await self._outbox.register([consumer.name])
        elif not pending.events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await added.wait()
        else:
            await _handle(consumer, pending.events)
            await self._outbox.advance(consumer.name, pending.position)
            self.delivered[consumer.name] += len(pending.events)
            if len(pending.events) < ROW_EVENTS:  # a read that was cut short has more
                await asyncio.sleep(GATHER_S)

    async def _keep(self) -> None:
        """Measure backlogs, bound them and remove what is delivered, until cancelled."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            while True:
                now = loop.time()
                try:
                    await self.keep_once(forget=now - began >= FORGET_AFTER_S)
                except Unavailable as error:
                    log.debug("outbox_upkeep_put_off", code=error.code)
                except Exception:
                    log.exception("outbox_upkeep_failed")
                # Without consumers nothing is added: what is left is removed once.
                every_s = LOOK_EVERY_S if self._consumers else FORGET_AFTER_S
                await asyncio.sleep(max(every_s, LOOK_SHARE * (loop.time() - now)))
        finally:
            self.backlogs = {}

    async def keep_once(self, *, forget: bool) -> None:
        """Do the upkeep once; `forget` the consumers that are not configured, so that they hold no rows."""
        if forget:
            for name in await self._outbox.unregister(list(self._consumers)):
                log.info("event_consumer_forgotten", consumer=name)
        backlogs = await self._outbox.backlogs()
        for name, backlog in backlogs.items():
            if backlog.size > BACKLOG_BYTES:
                skipped = await self._outbox.skip(name)
                remedy = "it missed these events: make it work again, then synchronise it"
                log.error("event_consumer_skipped", consumer=name, events=skipped, bytes=backlog.size, remedy=remedy)
        self.backlogs = backlogs
        while await self._outbox.trim():  # noqa: ASYNC110 - the pause lets updates through
            await asyncio.sleep(TRIM_PAUSE_S)


class _HandlerFailed(Exception):
    """Why a consumer has not handled its events."""


async def _handle(consumer: EventConsumer, events: Sequence[ScoreUpdated]) -> None:
    try:
        async with asyncio.timeout(HANDLE_S):
            await consumer.handle(events)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise _HandlerFailed("it was cancelled by its own work") from error  # this delivery was not
    except Exception as error:
        raise _HandlerFailed(describe_error(error)) from error


def retry_pause_s(failures: int) -> float:
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 30))
    return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - jitter
