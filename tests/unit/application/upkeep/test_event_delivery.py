"""Event delivery over an outbox in memory.

The tests of the stores are in tests/ports, those of killed processes in tests/faults.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.typing import EventDict

from harness.waiting import eventually
from scoreboard.application.ports.outbox import (
    Arrival,
    Backlog,
    EventConsumer,
    OutboxPosition,
    PendingEvents,
    ScoreUpdated,
)
from scoreboard.application.upkeep.event_delivery import DeliveryLimits, EventDelivery
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain import codes
from tests.making import NOON, event

EVENT_BYTES = 100
LIMITS = DeliveryLimits(backoff=Backoff(0.0, 0.0), gather_s=0.0, measure_s=0.001, trim_pause_s=0.0)


class ListOutbox:
    """An outbox with one event per row. A position is the number of earlier rows."""

    def __init__(self) -> None:
        self.events: list[ScoreUpdated] = []
        self.cursors: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self.trimmed = 0
        self.unavailable = False
        self._arrival = Arrival()

    def commit(self, count: int = 1) -> list[ScoreUpdated]:
        new = [
            ScoreUpdated(event(), NOON, "game", "main", "all", "", f"p{len(self.events) + n}", None, 1, 1, NOON)
            for n in range(count)
        ]
        self.events += new
        self._arrival.notify()
        return new

    async def register(self, consumers: Collection[str]) -> None:
        for name in consumers:
            self.cursors.setdefault(name, len(self.events))

    async def unregister(self, keep: Collection[str]) -> list[str]:
        gone = [name for name in self.cursors if name not in keep]
        for name in gone:
            del self.cursors[name]
        return gone

    async def read(self, consumer: str, max_events: int, max_bytes: int) -> PendingEvents | None:
        if self.unavailable:
            raise codes.STORAGE_FAILED.error("not now")
        if consumer not in self.cursors:
            return None
        start = self.cursors[consumer]
        some = self.events[start : start + min(max_events, max_bytes // EVENT_BYTES)]
        return PendingEvents(some, (0, start + len(some)))

    async def advance(self, consumer: str, position: OutboxPosition) -> None:
        self.cursors[consumer] = max(self.cursors[consumer], position[1])

    async def skip(self, consumer: str) -> int:
        missed = len(self.events) - self.cursors[consumer]
        self.cursors[consumer] = len(self.events)
        self.skipped[consumer] = self.skipped.get(consumer, 0) + missed
        return missed

    async def trim(self) -> int:
        passed = min(self.cursors.values(), default=len(self.events)) - self.trimmed
        self.trimmed += passed
        return passed

    async def backlogs(self) -> Mapping[str, Backlog]:
        return {
            name: Backlog(left, left * EVENT_BYTES, 0, self.skipped.get(name, 0))
            for name, left in ((name, len(self.events) - cursor) for name, cursor in self.cursors.items())
        }

    def added(self) -> asyncio.Event:
        return self._arrival.next()


class Consumer:
    """A consumer that waits until `open` is set, and fails while `error` is set."""

    def __init__(self, name: str = "webhook") -> None:
        self.name = name
        self.calls: list[Sequence[ScoreUpdated]] = []
        self.handled: list[ScoreUpdated] = []
        self.error: BaseException | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        self.calls.append(events)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.handled += events


@pytest.fixture
def outbox() -> ListOutbox:
    return ListOutbox()


@asynccontextmanager
async def delivering(
    outbox: ListOutbox, *consumers: EventConsumer, limits: DeliveryLimits = LIMITS
) -> AsyncIterator[EventDelivery]:
    delivery = EventDelivery(outbox, consumers, limits)
    await delivery.start()
    tasks = [asyncio.ensure_future(work()) for work in delivery.jobs().values()]
    try:
        yield delivery
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


def events_logged(logged: list[EventDict]) -> list[Any]:
    return [entry["event"] for entry in logged]


class TestDelivery:
    async def test_a_commit_is_delivered_without_a_wait_for_the_next_poll(self, outbox: ListOutbox) -> None:
        one, other = Consumer(), Consumer("kafka")
        async with delivering(outbox, one, other, limits=replace(LIMITS, poll_s=3_600.0)) as delivery:
            for count in (1, 3):
                await asyncio.sleep(0.01)
                outbox.commit(count)
                await eventually(lambda: one.handled == other.handled == outbox.events)
            await eventually(lambda: delivery.delivered == {"webhook": 4, "kafka": 4})

    async def test_a_poll_finds_the_events_of_other_processes(
        self, outbox: ListOutbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Arrival, "notify", lambda _: None)
        one = Consumer()
        async with delivering(outbox, one, limits=replace(LIMITS, poll_s=0.001)):
            outbox.commit()
            await eventually(lambda: one.handled == outbox.events)

    async def test_a_call_is_bounded_in_events_and_in_bytes(self, outbox: ListOutbox) -> None:
        await outbox.register(["webhook"])
        outbox.commit(7)
        one = Consumer()
        async with delivering(outbox, one, limits=replace(LIMITS, read_events=3)):
            await eventually(lambda: one.handled == outbox.events)
        assert [len(call) for call in one.calls] == [3, 3, 1]
        outbox.commit(3)
        async with delivering(outbox, one, limits=replace(LIMITS, read_bytes=2 * EVENT_BYTES)):
            await eventually(lambda: one.handled == outbox.events)
        assert [len(call) for call in one.calls[3:]] == [2, 1]

    async def test_the_cursor_moves_only_after_the_consumer_returned(self, outbox: ListOutbox) -> None:
        one = Consumer()
        one.open.clear()
        async with delivering(outbox, one):
            outbox.commit(2)
            await eventually(lambda: one.calls)
            assert outbox.cursors == {"webhook": 0}
            one.open.set()
            await eventually(lambda: outbox.cursors == {"webhook": 2})

    async def test_a_call_that_was_cancelled_is_repeated(self, outbox: ListOutbox) -> None:
        one = Consumer()
        one.open.clear()
        async with delivering(outbox, one):
            outbox.commit()
            await eventually(lambda: one.calls)
        assert (outbox.cursors, one.handled) == ({"webhook": 0}, [])
        one.open.set()
        async with delivering(outbox, one):
            await eventually(lambda: one.handled == outbox.events)

    async def test_a_consumer_gets_the_same_events_until_it_succeeds(
        self, outbox: ListOutbox, logged: list[EventDict]
    ) -> None:
        one = Consumer()
        one.error = ValueError("no such topic")
        async with delivering(outbox, one) as delivery:
            outbox.commit()
            await eventually(lambda: delivery.failures["webhook"] > 3)
            assert outbox.cursors == {"webhook": 0}
            one.error = None
            await eventually(lambda: one.handled == outbox.events)
        assert all(call == outbox.events for call in one.calls)
        assert {(entry["event"], entry["error"]) for entry in logged} == {("event_consumer_failed", "no such topic")}
        assert len(logged) == delivery.failures["webhook"]

    async def test_a_consumer_that_cancels_itself_has_failed(self, outbox: ListOutbox) -> None:
        one = Consumer()
        one.error = asyncio.CancelledError()
        async with delivering(outbox, one) as delivery:
            outbox.commit()
            await eventually(lambda: delivery.failures["webhook"] > 1)
            one.error = None
            await eventually(lambda: one.handled == outbox.events)

    async def test_a_call_that_takes_too_long_is_cancelled_and_repeated(self, outbox: ListOutbox) -> None:
        one = Consumer()
        one.open.clear()
        async with delivering(outbox, one, limits=replace(LIMITS, handle_s=0.001)) as delivery:
            outbox.commit()
            await eventually(lambda: delivery.failures["webhook"] > 1)
            one.open.set()
            await eventually(lambda: one.handled == outbox.events)

    async def test_an_unreachable_store_is_no_failure_of_the_consumer(
        self, outbox: ListOutbox, logged: list[EventDict]
    ) -> None:
        one = Consumer()
        outbox.unavailable = True
        async with delivering(outbox, one) as delivery:
            outbox.commit()
            await eventually(lambda: "event_delivery_postponed" in events_logged(logged))
            outbox.unavailable = False
            await eventually(lambda: one.handled == outbox.events)
            assert delivery.failures["webhook"] == 0


class TestIndependence:
    async def test_a_consumer_that_blocks_or_fails_delays_no_other(self, outbox: ListOutbox) -> None:
        blocked, failing, well = Consumer("blocked"), Consumer("failing"), Consumer("well")
        blocked.open.clear()
        failing.error = OSError("unreachable")
        async with delivering(outbox, blocked, failing, well):
            for count in (1, 2, 3):
                outbox.commit(count)
                await eventually(lambda: well.handled == outbox.events)
            assert outbox.cursors == {"blocked": 0, "failing": 0, "well": 6}
            assert (blocked.handled, failing.handled) == ([], [])

    def test_two_consumers_with_one_name_are_refused(self, outbox: ListOutbox) -> None:
        with pytest.raises(ValueError, match="same name"):
            EventDelivery(outbox, [Consumer(), Consumer()])

    async def test_without_consumers_upkeep_is_the_only_job(self, outbox: ListOutbox) -> None:
        async with delivering(outbox) as delivery:
            assert delivery.jobs().keys() == {"outbox"}
            assert outbox.cursors == {}


class TestUpkeep:
    async def test_events_that_all_consumers_handled_are_removed(self, outbox: ListOutbox) -> None:
        async with delivering(outbox, Consumer(), Consumer("kafka")) as delivery:
            outbox.commit(3)
            await eventually(lambda: outbox.trimmed == 3)
            await eventually(lambda: delivery.backlogs == dict.fromkeys(("webhook", "kafka"), (0, 0, 0, 0)))
        assert delivery.backlogs == {}

    async def test_a_backlog_that_is_too_large_is_skipped_logged_and_removed(
        self, outbox: ListOutbox, logged: list[EventDict]
    ) -> None:
        blocked, well = Consumer("blocked"), Consumer("well")
        blocked.open.clear()
        delivery = EventDelivery(outbox, [blocked, well], replace(LIMITS, backlog_bytes=3 * EVENT_BYTES))
        await delivery.start()
        outbox.commit(3)
        await delivery.maintain_once(unregister=False)
        assert (outbox.skipped, outbox.trimmed) == ({}, 0)
        outbox.commit(1)
        outbox.cursors["well"] = 4
        await delivery.maintain_once(unregister=False)
        assert (outbox.skipped, outbox.trimmed) == ({"blocked": 4}, 4)
        (entry,) = logged
        assert (entry["event"], entry["log_level"], entry["consumer"]) == ("event_consumer_skipped", "error", "blocked")
        assert entry["events"] == 4

    async def test_a_consumer_skipped_during_its_call_continues_at_the_end(self, outbox: ListOutbox) -> None:
        blocked = Consumer()
        blocked.open.clear()
        async with delivering(outbox, blocked):
            outbox.commit(2)
            await eventually(lambda: blocked.calls)
            outbox.commit(2)
            await outbox.skip("webhook")
            blocked.open.set()
            (new,) = outbox.commit()
            await eventually(lambda: blocked.handled[-1:] == [new])
        assert outbox.events.index(blocked.handled[0]) == 0
        assert len(blocked.handled) == 3

    async def test_a_consumer_that_is_not_configured_is_unregistered_later(
        self, outbox: ListOutbox, logged: list[EventDict]
    ) -> None:
        await outbox.register(["old"])
        outbox.commit(2)
        one = Consumer()
        delivery = EventDelivery(outbox, [one], LIMITS)
        await delivery.start()
        await delivery.maintain_once(unregister=False)
        assert outbox.cursors.keys() == {"old", "webhook"}
        async with delivering(outbox, one, limits=replace(LIMITS, unregister_s=0.01)):
            await eventually(lambda: outbox.cursors.keys() == {"webhook"})
            await eventually(lambda: outbox.trimmed == 2)
        assert "event_consumer_forgotten" in events_logged(logged)

    async def test_without_consumers_no_rows_remain(self, outbox: ListOutbox) -> None:
        await outbox.register(["old"])
        outbox.commit(2)
        async with delivering(outbox, limits=replace(LIMITS, unregister_s=0.01)):
            await eventually(lambda: (outbox.cursors, outbox.trimmed) == ({}, 2))

    async def test_a_consumer_that_another_process_unregistered_starts_again_with_an_error(
        self, outbox: ListOutbox, logged: list[EventDict]
    ) -> None:
        one = Consumer()
        async with delivering(outbox, one, limits=replace(LIMITS, poll_s=0.001)):
            await outbox.unregister([])
            await eventually(lambda: "webhook" in outbox.cursors)
            outbox.commit()
            await eventually(lambda: one.handled == outbox.events)
        assert ("event_consumer_restarted", "error") in [(entry["event"], entry["log_level"]) for entry in logged]

    async def test_upkeep_that_fails_is_repeated(
        self, outbox: ListOutbox, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = outbox.backlogs
        errors = iter([codes.STORAGE_FAILED.error("not now"), RuntimeError("a mistake")])

        async def failing() -> Mapping[str, Backlog]:
            with contextlib.suppress(StopIteration):
                raise next(errors)
            return await real()

        monkeypatch.setattr(outbox, "backlogs", failing)
        async with delivering(outbox, Consumer()) as delivery:
            await eventually(lambda: delivery.backlogs)
        assert events_logged(logged) == ["job_postponed", "job_failed"]
