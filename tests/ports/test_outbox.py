import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from scoreboard.application.ports.outbox import ROW_EVENTS, Outbox, PendingEvents, ScoreUpdated
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import INT64_MAX, Action, App, Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission
from tests.making import NOON, submission
from tests.ports.backends import STORES, Store, Tenancy
from tests.ports.conftest import backends

ONE = "webhook"
ALL = 1_000_000


@pytest.fixture(params=backends(STORES))
async def tenancy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tenancy]:
    """A ledger that writes events, with one consumer registered."""
    make: Callable[[], Store] = request.param
    store = make()
    await store.open(tmp_path, events=True)
    await store.outbox.register([ONE])
    yield Tenancy(store, tmp_path, events=True)
    await store.close()


@pytest.fixture
def outbox(tenancy: Tenancy) -> Outbox:
    return tenancy.store.outbox


async def apply(tenancy: Tenancy, *batch: Submission) -> list[Outcome]:
    return (await tenancy.ledger.transact(batch, decide)).outcomes


async def pending(tenancy: Tenancy, consumer: str = ONE, events: int = ALL, size: int = ALL) -> PendingEvents:
    await tenancy.store.settled()
    found = await tenancy.store.outbox.read(consumer, events, size)
    assert found is not None
    return found


async def consume(tenancy: Tenancy, consumer: str = ONE) -> list[ScoreUpdated]:
    """Return the events past the cursor, and move the cursor behind them."""
    found = await pending(tenancy, consumer)
    if found.events:
        await tenancy.store.outbox.advance(consumer, found.position)
    return found.events


class TestEvents:
    async def test_an_event_describes_its_submission_and_the_standing_after_it(
        self, tenancy: Tenancy, outbox: Outbox, app: App
    ) -> None:
        board = await tenancy.board(app, regions=("eu",), period="daily", max_value=INT64_MAX, max_total=INT64_MAX)
        action = await tenancy.directory.create_action(Action(0, app, "win", 5))
        first = submission(board, "zoë\x01", 2**62, region="eu")
        second = submission(board, "zoë\x01", 5, NOON + 1, use=action)
        await apply(tenancy, first, second)
        start = (app.slug, "main", "2026-11-21")
        assert await consume(tenancy) == [
            (first.event, NOON, *start, "eu", "zoë\x01", None, 2**62, 2**62, NOON),
            (second.event, NOON + 1, *start, "", "zoë\x01", "win", 5, 2**62 + 5, NOON + 1),
        ]

    async def test_each_event_of_a_batch_has_the_version_of_its_standing(
        self, tenancy: Tenancy, outbox: Outbox, app: App
    ) -> None:
        board = await tenancy.board(app, operator="best")
        await apply(tenancy, *(submission(board, value=value, at=NOON + n) for n, value in enumerate((5, 3, 9))))
        await apply(tenancy, submission(board, value=11, at=NOON + 3))
        assert [(one.value, one.score, one.version) for one in await consume(tenancy)] == [
            (5, 5, NOON),
            (3, 5, NOON),
            (9, 9, NOON + 1),
            (11, 11, NOON + 2),
        ]

    async def test_refused_and_replayed_updates_have_no_event(
        self, tenancy: Tenancy, outbox: Outbox, app: App, main: Board
    ) -> None:
        once = await tenancy.directory.create_action(Action(0, app, "once", 5, per_day=1))
        first = submission(main, use=once, key="k", body=b"1")
        await apply(tenancy, first, submission(main, use=once))
        await apply(tenancy, submission(main, use=once, key="k", body=b"1"), submission(main, value=2**60), first)
        assert [one.event for one in await consume(tenancy)] == [first.event]

    async def test_a_retried_batch_has_each_event_once(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        one = submission(main)
        with tenancy.store.answers_lost(), pytest.raises(Unavailable):
            await apply(tenancy, one)
        await apply(tenancy, one)
        assert [event.event for event in await consume(tenancy)] == [one.event]

    async def test_a_batch_that_fails_has_no_events(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        one = submission(main)
        with pytest.raises(Exception, match=r"(?i)unique"):
            await apply(tenancy, one, one)
        assert await consume(tenancy) == []

    async def test_a_ledger_without_consumers_writes_no_events(self, tenancy: Tenancy, tmp_path: Path) -> None:
        await tenancy.store.close()
        await tenancy.store.open(tmp_path)
        await apply(tenancy, submission(await tenancy.board(await tenancy.app())))
        assert await consume(tenancy) == []

    async def test_events_outlive_their_player_and_their_app(
        self, tenancy: Tenancy, outbox: Outbox, app: App, main: Board
    ) -> None:
        await apply(tenancy, submission(main))
        await tenancy.directory.delete_app(app)
        assert [one.app for one in await consume(tenancy)] == [app.slug]

    async def test_a_commit_of_this_process_wakes_its_readers(
        self, tenancy: Tenancy, outbox: Outbox, main: Board
    ) -> None:
        added = outbox.added()
        assert not added.is_set()
        await apply(tenancy, submission(main))
        assert added.is_set()
        assert not outbox.added().is_set()


class TestCursors:
    async def test_unhandled_events_are_read_again_after_a_restart(self, tenancy: Tenancy, main: Board) -> None:
        await apply(tenancy, submission(main))
        first = (await pending(tenancy)).events
        await tenancy.reopened()
        await tenancy.store.outbox.register([ONE])
        assert (await consume(tenancy)) == first != []
        await tenancy.reopened()
        assert await consume(tenancy) == []

    async def test_each_consumer_has_its_cursor(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await outbox.register([ONE, "kafka"])
        await apply(tenancy, submission(main))
        assert len(await consume(tenancy)) == 1
        await apply(tenancy, submission(main))
        assert len(await consume(tenancy)) == 1
        assert len(await consume(tenancy, "kafka")) == 2
        assert await consume(tenancy) == await consume(tenancy, "kafka") == []

    async def test_a_read_stays_within_its_bounds(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        for size in (1, 2, ROW_EVENTS + 3, 2):
            await apply(tenancy, *(submission(main) for _ in range(size)))
        sizes = []
        for bound in (3, 1, 5, 2):
            found = await pending(tenancy, events=bound)
            sizes.append(len(found.events))
            await outbox.advance(ONE, found.position)
        assert sizes == [3, ROW_EVENTS, 5, 0]

    async def test_a_read_stays_within_its_bytes(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        for _ in range(4):
            await apply(tenancy, submission(main))
        size = (await outbox.backlogs())[ONE].size
        assert len((await pending(tenancy, size=size)).events) == 4
        assert len((await pending(tenancy, size=size - 1)).events) == 3
        assert len((await pending(tenancy, size=1)).events) == 1

    async def test_a_cursor_never_moves_back(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await apply(tenancy, submission(main))
        early = (await pending(tenancy)).position
        await apply(tenancy, submission(main))
        assert len(await consume(tenancy)) == 2
        await outbox.advance(ONE, early)
        assert await consume(tenancy) == []

    async def test_a_new_cursor_starts_at_the_present_end(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await apply(tenancy, submission(main))
        await tenancy.store.settled()
        await outbox.register(["kafka"])
        await apply(tenancy, submission(main, value=2))
        assert [one.value for one in await consume(tenancy, "kafka")] == [2]
        assert [one.value for one in await consume(tenancy)] == [1, 2]

    async def test_a_repeated_registration_moves_no_cursor(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await apply(tenancy, submission(main))
        await outbox.register([ONE])
        assert len(await consume(tenancy)) == 1

    async def test_an_unregistered_consumer_has_no_cursor(self, outbox: Outbox) -> None:
        await outbox.register(["kafka", "eventbridge"])
        assert sorted(await outbox.unregister([ONE, "other"])) == ["eventbridge", "kafka"]
        assert await outbox.read("kafka", ALL, ALL) is None
        assert (await outbox.backlogs()).keys() == {ONE}
        assert await outbox.unregister([]) == [ONE]
        assert await outbox.read(ONE, ALL, ALL) is None


class TestUpkeep:
    async def test_a_backlog_counts_the_events_past_the_cursor(
        self, tenancy: Tenancy, outbox: Outbox, main: Board
    ) -> None:
        assert (await outbox.backlogs())[ONE] == (0, 0, 0, 0)
        await apply(tenancy, submission(main))
        await consume(tenancy)
        await apply(tenancy, *(submission(main) for _ in range(3)))
        await tenancy.store.settled()
        await outbox.register(["kafka"])
        found = await outbox.backlogs()
        assert (found[ONE].events, found[ONE].skipped) == (3, 0)
        assert found[ONE].size > 0
        assert found[ONE].age_s >= 0
        assert found["kafka"] == (0, 0, 0, 0)

    async def test_a_skipped_cursor_continues_at_the_present_end(
        self, tenancy: Tenancy, outbox: Outbox, main: Board
    ) -> None:
        await outbox.register(["kafka"])
        for _ in range(2):
            await apply(tenancy, *(submission(main) for _ in range(3)))
        await tenancy.store.settled()
        assert await outbox.skip(ONE) == 6
        assert (await outbox.backlogs())[ONE] == (0, 0, 0, 6)
        await apply(tenancy, submission(main, value=2))
        assert [one.value for one in await consume(tenancy)] == [2]
        assert len(await consume(tenancy, "kafka")) == 7
        assert await outbox.skip(ONE) == 0
        assert await outbox.skip("nobody") == 0

    async def test_rows_that_all_cursors_passed_are_removed(self, tenancy: Tenancy, main: Board) -> None:
        outbox = tenancy.store.outbox_of_steps(2)
        await outbox.register(["kafka"])
        for _ in range(3):
            await apply(tenancy, submission(main))
        await consume(tenancy)
        assert await outbox.trim() == 0
        for _ in range(2):
            found = await pending(tenancy, "kafka", events=1)
            await outbox.advance("kafka", found.position)
        assert [await outbox.trim() for _ in range(2)] == [2, 0]
        assert len(await consume(tenancy, "kafka")) == 1
        assert [await outbox.trim() for _ in range(2)] == [1, 0]

    async def test_cursors_stay_valid_without_rows(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await apply(tenancy, submission(main))
        await consume(tenancy)
        assert await outbox.trim() == 1
        await tenancy.reopened()
        await tenancy.store.settled()
        await tenancy.store.outbox.register(["kafka"])
        await apply(tenancy, submission(main, value=2))
        assert [one.value for one in await consume(tenancy)] == [2]
        assert [one.value for one in await consume(tenancy, "kafka")] == [2]

    async def test_without_consumers_every_row_is_removed(self, tenancy: Tenancy, outbox: Outbox, main: Board) -> None:
        await apply(tenancy, submission(main))
        await outbox.unregister([])
        await tenancy.store.settled()
        assert [await outbox.trim() for _ in range(2)] == [1, 0]

    async def test_concurrent_use_loses_and_repeats_nothing(
        self, tenancy: Tenancy, outbox: Outbox, main: Board
    ) -> None:
        """Commit, read, trim and measure at the same time."""
        await outbox.register(["kafka"])
        sent = [[submission(main, f"p{n}{i}") for i in range(3)] for n in range(40)]
        done = False

        async def read(consumer: str) -> list[bytes]:
            found: list[bytes] = []
            last = False
            while True:
                events = await consume(tenancy, consumer)
                found += [one.event for one in events]
                if last and not events:
                    return found
                last = done
                await asyncio.sleep(0)

        async def maintain() -> None:
            while not done:
                await outbox.trim()
                await outbox.backlogs()
                await asyncio.sleep(0)

        async def commit() -> None:
            nonlocal done
            for batch in sent:
                await apply(tenancy, *batch)
            done = True

        one, other, *_ = await asyncio.gather(read(ONE), read("kafka"), maintain(), commit())
        assert sorted(one) == sorted(other) == sorted(sub.event for batch in sent for sub in batch)
