import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from harness.waiting import eventually
from scoreboard.domain.submission import TableKey
from tests.ports.backends import FeedBackend

WORLD, EUROPE, LAST_WEEK = TableKey(1, "all", ""), TableKey(1, "all", "eu"), TableKey(2, "2026-W46", "")


@pytest.fixture
async def heard(feeding: FeedBackend) -> AsyncIterator[Counter[TableKey]]:
    """How often each table was told of by a feed that runs."""
    counted: Counter[TableKey] = Counter()
    feeding.feed.listen(lambda table: counted.update([table]))
    running = asyncio.create_task(feeding.feed.run())
    yield counted
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def told(feeding: FeedBackend, heard: Counter[TableKey], table: TableKey) -> None:
    """Wait until a change is told that was made while its table was watched."""

    async def changed() -> bool:
        await feeding.change(table)
        return heard[table] > 0

    await eventually(changed, f"{table} was told of")


async def after_all_that_was_said(feeding: FeedBackend, heard: Counter[TableKey], watched: TableKey) -> None:
    """Words come in order: wait until one that was said now has come."""
    before = heard[watched]
    await feeding.change(watched)
    await eventually(lambda: heard[watched] > before, "a word that was said last")


async def test_a_change_to_a_watched_table_is_told(feeding: FeedBackend, heard: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD, LAST_WEEK])
    for table in (WORLD, LAST_WEEK):
        await told(feeding, heard, table)
    for table in (WORLD, LAST_WEEK):
        before = heard[table]
        await feeding.change(table)
        await eventually(lambda table=table, before=before: heard[table] > before, "each change")  # type: ignore[misc]


async def test_what_nobody_watches_is_not_told(feeding: FeedBackend, heard: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD])
    await told(feeding, heard, WORLD)
    await feeding.change(EUROPE)
    await after_all_that_was_said(feeding, heard, WORLD)
    assert set(heard) == {WORLD}


async def test_the_last_set_that_is_watched_counts(feeding: FeedBackend, heard: Counter[TableKey]) -> None:
    feeding.feed.watch([WORLD, EUROPE])
    await told(feeding, heard, EUROPE)
    feeding.feed.watch([WORLD, LAST_WEEK])
    await told(feeding, heard, LAST_WEEK)
    await told(feeding, heard, WORLD)
    heard.clear()
    await feeding.change(EUROPE)
    await after_all_that_was_said(feeding, heard, WORLD)
    assert not heard[EUROPE]
    feeding.feed.watch([EUROPE])
    await told(feeding, heard, EUROPE)


async def test_what_is_watched_before_it_runs_is_watched(feeding: FeedBackend) -> None:
    heard: list[TableKey] = []
    feeding.feed.watch([WORLD])
    feeding.feed.listen(heard.append)
    running = asyncio.create_task(feeding.feed.run())

    async def changed() -> bool:
        await feeding.change(WORLD)
        return WORLD in heard

    await eventually(changed, "it was told of")
    running.cancel()


async def test_thousands_of_tables_are_watched(feeding: FeedBackend, heard: Counter[TableKey]) -> None:
    tables = [TableKey(board, "all", "") for board in range(3_000)]
    feeding.feed.watch(tables)
    await told(feeding, heard, tables[0])
    await told(feeding, heard, tables[-1])


async def test_after_an_interruption_every_watched_table_is_told(
    feeding: FeedBackend, heard: Counter[TableKey]
) -> None:
    feeding.feed.watch([WORLD, EUROPE])
    for table in (WORLD, EUROPE):
        await told(feeding, heard, table)
    await after_all_that_was_said(feeding, heard, WORLD)
    heard.clear()
    await feeding.interrupt()
    await eventually(lambda: heard[WORLD] and heard[EUROPE], "something may have been missed")
    await after_all_that_was_said(feeding, heard, EUROPE)
