import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from harness.waiting import eventually
from scoreboard.domain.submission import TableKey
from tests.ports.backends import FeedBackend

WORLD, EUROPE, LAST_WEEK = TableKey(1, "all", ""), TableKey(1, "all", "eu"), TableKey(2, "2026-W46", "")


@pytest.fixture
async def reported(feeding: FeedBackend) -> AsyncIterator[Counter[TableKey]]:
    """The number of changes that a running feed reported, by table."""
    counted: Counter[TableKey] = Counter()
    feeding.feed.listen(lambda table: counted.update([table]))
    running = asyncio.create_task(feeding.feed.run())
    yield counted
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def subscribed(feeding: FeedBackend, reported: Counter[TableKey], table: TableKey) -> None:
    """Publish changes until the feed reports one: the table is then subscribed to."""

    async def changed() -> bool:
        await feeding.change(table)
        return reported[table] > 0

    await eventually(changed, f"{table} is reported")


async def settled(feeding: FeedBackend, reported: Counter[TableKey], watched: TableKey) -> None:
    """Wait for a new change. Reports are in order, so all earlier ones have arrived."""
    before = reported[watched]
    await feeding.change(watched)
    await eventually(lambda: reported[watched] > before, "the last change is reported")


async def test_a_change_to_a_watched_table_is_reported(feeding: FeedBackend, reported: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD, LAST_WEEK])
    for table in (WORLD, LAST_WEEK):
        await subscribed(feeding, reported, table)
    for table in (WORLD, LAST_WEEK):
        before = reported[table]
        await feeding.change(table)
        await eventually(lambda table=table, before=before: reported[table] > before, "each change")  # type: ignore[misc]  # bound


async def test_a_change_to_another_table_is_not_reported(feeding: FeedBackend, reported: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD])
    await subscribed(feeding, reported, WORLD)
    await feeding.change(EUROPE)
    await settled(feeding, reported, WORLD)
    assert set(reported) == {WORLD}


async def test_watch_replaces_the_watched_tables(feeding: FeedBackend, reported: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD, EUROPE])
    await subscribed(feeding, reported, EUROPE)
    feeding.feed.watch([WORLD, LAST_WEEK])
    await subscribed(feeding, reported, LAST_WEEK)
    await subscribed(feeding, reported, WORLD)
    reported.clear()
    await feeding.change(EUROPE)
    await settled(feeding, reported, WORLD)
    assert not reported[EUROPE]
    feeding.feed.watch([EUROPE])
    await subscribed(feeding, reported, EUROPE)


async def test_tables_may_be_watched_before_the_feed_runs(feeding: FeedBackend) -> None:
    reported: list[TableKey] = []
    feeding.feed.watch([WORLD])
    feeding.feed.listen(reported.append)
    running = asyncio.create_task(feeding.feed.run())

    async def changed() -> bool:
        await feeding.change(WORLD)
        return WORLD in reported

    await eventually(changed, "it is reported")
    running.cancel()


async def test_thousands_of_tables_are_watched(feeding: FeedBackend, reported: Counter[TableKey]) -> None:
    tables = [TableKey(board, "all", "") for board in range(3_000)]
    feeding.feed.watch(tables)
    await subscribed(feeding, reported, tables[0])
    await subscribed(feeding, reported, tables[-1])


async def test_after_an_interruption_every_watched_table_is_reported(
    feeding: FeedBackend, reported: Counter[TableKey]
) -> None:
    feeding.feed.watch([WORLD, EUROPE])
    for table in (WORLD, EUROPE):
        await subscribed(feeding, reported, table)
    await settled(feeding, reported, WORLD)
    reported.clear()
    await feeding.interrupt()
    await eventually(lambda: reported[WORLD] and reported[EUROPE], "changes may have been missed")
    await settled(feeding, reported, EUROPE)
