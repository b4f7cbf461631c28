"""Tables in memory that load and are evicted; tests/ports has the common tests."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.ranking import NotRanked, OrderKey
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, standing, table

MAIN = board()
KEY = table(MAIN)
DAYS = [table(MAIN, f"2026-11-{day}") for day in range(10, 22)]


class Totals:
    """The ledger's totals at the time of the call, returned once `released` is set."""

    def __init__(self) -> None:
        self.tables: dict[TableKey, dict[str, Standing]] = {}
        self.released = asyncio.Event()
        self.loads: Counter[TableKey] = Counter()
        self.called = asyncio.Event()
        self.fault: Exception | None = None

    async def load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        self.loads[key] += 1
        self.called.set()
        rows = list(self.tables.get(key, {}).items())
        await self.released.wait()
        if self.fault is not None:
            raise self.fault
        yield rows


@pytest.fixture
async def totals() -> Totals:
    return Totals()


@pytest.fixture
def ranking(totals: Totals) -> MemoryRanking:
    return MemoryRanking(totals.load, "epoch", max_tables=2, load_s=BOUND_S)


async def scores(ranking: MemoryRanking, key: TableKey = KEY) -> list[tuple[str, int]]:
    await ranking.warm(key, MAIN)
    return [(one.player, one.score) for one in (await ranking.slice(key, MAIN, 0, 100)).rows]


async def put(ranking: MemoryRanking, key: TableKey = KEY, **standings: Standing) -> None:
    with contextlib.suppress(NotRanked):
        await ranking.apply(key, MAIN, standings, place=False)


READS: dict[str, Callable[[MemoryRanking], Awaitable[Any]]] = {
    "slice": lambda ranking: ranking.slice(KEY, MAIN, 0, 10),
    "slice_after": lambda ranking: ranking.slice_after(KEY, MAIN, OrderKey(1, 1, "ann"), 1),
    "rank": lambda ranking: ranking.get_rank(KEY, MAIN, "ann"),
    "total": lambda ranking: ranking.total(KEY, MAIN),
    "apply": lambda ranking: ranking.apply(KEY, MAIN, {"ann": standing(1)}, place=True),
}


class TestEmptyTables:
    async def test_empty_tables_are_readable_and_evict_none(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.released.set()
        totals.tables[KEY] = {"ann": standing(1)}
        assert await scores(ranking) == [("ann", 1)]
        for day in DAYS:
            assert await ranking.total(day, MAIN) == 0
            assert await ranking.get_rank(day, MAIN, "ann") is None
            assert await scores(ranking, day) == []
        assert await scores(ranking) == [("ann", 1)]
        assert totals.loads[KEY] == 1

    async def test_the_position_of_an_empty_table_is_stable(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.released.set()
        assert await ranking.total(KEY, MAIN) == 0
        empty = await ranking.position(KEY, MAIN)
        assert await ranking.total(DAYS[0], MAIN) == 0
        assert await ranking.position(KEY, MAIN) == empty
        await put(ranking, ann=standing(5))
        assert await ranking.position(KEY, MAIN) != empty
        totals.tables = {key: {"zoe": standing(1)} for key in [KEY, *DAYS]}
        for day in DAYS[:3]:
            await ranking.warm(day, MAIN)
        assert await ranking.position(KEY, MAIN) != empty  # evicted

    async def test_an_update_during_the_load_of_an_empty_table_is_kept(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        reading = asyncio.create_task(ranking.total(KEY, MAIN))
        await totals.called.wait()
        updated = asyncio.create_task(put(ranking, ann=standing(5)))
        await asyncio.sleep(0)
        totals.released.set()
        await asyncio.gather(reading, updated)
        assert await scores(ranking) == [("ann", 5)]
        assert totals.loads[KEY] == 1


class TestWhileLoading:
    @pytest.fixture
    def ranking(self, totals: Totals) -> MemoryRanking:
        return MemoryRanking(totals.load, "epoch", max_tables=2, load_s=0.001)

    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_reads_raise_not_ranked(
        self, ranking: MemoryRanking, read: Callable[[MemoryRanking], Awaitable[Any]]
    ) -> None:
        with pytest.raises(NotRanked) as raised:
            await read(ranking)
        assert raised.value.state == "warming"

    async def test_concurrent_reads_load_a_table_once(self, ranking: MemoryRanking, totals: Totals) -> None:
        for _ in range(3):
            with pytest.raises(NotRanked):
                await ranking.total(KEY, MAIN)
        totals.released.set()
        await ranking.warm(KEY, MAIN)
        assert totals.loads[KEY] == 1

    async def test_updates_during_a_load_are_applied_after_it(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(2, version=1)}
        await put(ranking, ann=standing(5, version=2), cat=standing(3, version=1))
        totals.released.set()
        assert await scores(ranking) == [("ann", 5), ("cat", 3), ("bob", 2)]

    async def test_a_late_update_does_not_replace_a_newer_one(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(9, version=3)}
        for version in (3, 2):
            await put(ranking, ann=standing(version, version=version), bob=standing(version, version=2))
        totals.released.set()
        assert await scores(ranking) == [("bob", 9), ("ann", 3)]

    async def test_a_player_removed_during_a_load_is_not_in_the_table(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(2)}
        await put(ranking, ann=standing(5, version=2))
        removing = asyncio.create_task(ranking.remove(KEY, "ann", 2))
        totals.released.set()
        await removing
        assert await scores(ranking) == [("bob", 2)]

    async def test_a_cancelled_caller_does_not_stop_the_load(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"bob": standing(2)}
        warming = asyncio.create_task(ranking.warm(KEY, MAIN))
        await totals.called.wait()
        for caller in (warming, asyncio.create_task(ranking.remove(KEY, "ann", 1))):
            await asyncio.sleep(0)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        totals.released.set()
        async with asyncio.timeout(BOUND_S):
            assert await scores(ranking) == [("bob", 2)]

    async def test_dropping_a_board_does_not_cancel_its_waiting_callers(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        warming = asyncio.create_task(ranking.warm(KEY, MAIN))
        await totals.called.wait()
        removing = asyncio.create_task(ranking.remove(KEY, "ann", 1))
        await asyncio.sleep(0)
        await ranking.drop(MAIN)
        totals.released.set()
        await asyncio.wait([warming, removing])
        assert not warming.cancelled()
        assert not removing.cancelled()

    async def test_a_board_dropped_during_a_load_leaves_nothing(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"bob": standing(2)}
        await put(ranking, ann=standing(5))
        await ranking.drop(MAIN)
        totals.released.set()
        assert await scores(ranking) == [("bob", 2)]
        assert totals.loads[KEY] == 2


class TestAfterLoading:
    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_a_read_during_a_load_is_answered_after_it(
        self, ranking: MemoryRanking, totals: Totals, read: Callable[[MemoryRanking], Awaitable[Any]]
    ) -> None:
        asking = asyncio.create_task(asyncio.wait_for(read(ranking), BOUND_S))
        await totals.called.wait()
        totals.released.set()
        await asking

    async def test_a_read_of_a_board_dropped_right_after_its_load_raises_at_most_not_ranked(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.tables[KEY] = {"ann": standing(1)}
        asking = asyncio.create_task(ranking.total(KEY, MAIN))
        await totals.called.wait()
        totals.released.set()
        while ranking.tables[KEY].loading is not None:  # noqa: ASYNC110 - to drop the board in the turn after the load
            await asyncio.sleep(0)
        await ranking.drop(MAIN)
        with contextlib.suppress(NotRanked):
            assert await asking == 1

    async def test_a_new_player_in_a_table_loaded_with_the_new_standing_has_no_previous_rank(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.released.set()
        totals.tables[KEY] = {"ann": standing(5), "bob": standing(9)}
        placed = await ranking.apply(KEY, MAIN, {"ann": totals.tables[KEY]["ann"]}, place=True)
        assert placed["ann"].rank == 2
        assert placed["ann"].previous_rank is None

    async def test_a_previous_rank_that_the_load_has_replaced_is_unknown(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.released.set()
        totals.tables[KEY] = {"ann": standing(50, version=2), "bob": standing(9)}  # ann was second, with 5
        placed = await ranking.apply(KEY, MAIN, {"ann": totals.tables[KEY]["ann"]}, place=True)
        assert placed["ann"].rank == 1
        assert placed["ann"].previous_rank in {2, None}

    async def test_reads_of_more_tables_than_are_kept(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.released.set()
        for n, key in enumerate(DAYS):
            totals.tables[key] = {"ann": standing(n)}

        async def read_all(first: int) -> None:
            for key in DAYS[first:] + DAYS[:first]:
                (only,) = (await ranking.slice(key, MAIN, 0, 10)).rows
                assert only.score == DAYS.index(key)

        await asyncio.gather(*(read_all(first) for _ in range(5) for first in range(len(DAYS))))


class TestEviction:
    @pytest.fixture(autouse=True)
    def loaded_at_once(self, totals: Totals) -> None:
        totals.released.set()
        totals.tables = {key: {"zoe": standing(1)} for key in DAYS}

    async def test_the_least_recently_used_table_is_evicted(self, ranking: MemoryRanking, totals: Totals) -> None:
        first, second, third = DAYS[:3]
        for key in (first, second, first, third, first):
            await ranking.warm(key, MAIN)
            await ranking.total(key, MAIN)
        assert totals.loads == {first: 1, second: 1, third: 1}
        await ranking.total(second, MAIN)
        assert totals.loads[second] == 2

    async def test_an_update_counts_as_a_use(self, ranking: MemoryRanking, totals: Totals) -> None:
        first, second, third = DAYS[:3]
        for key in (first, second):
            await ranking.warm(key, MAIN)
        await put(ranking, first, ann=standing(1))
        await ranking.warm(third, MAIN)
        await ranking.total(first, MAIN)
        assert totals.loads[first] == 1

    async def test_a_reloaded_table_never_repeats_an_offset(self, ranking: MemoryRanking, totals: Totals) -> None:
        seen = []
        for n in range(6):
            totals.tables[DAYS[0]] = {"ann": standing(n, version=n + 1)}
            for key in DAYS[:3]:
                await ranking.warm(key, MAIN)
            await put(ranking, DAYS[0], bob=standing(n, version=n))
            await ranking.warm(DAYS[0], MAIN)
            seen.append((await ranking.position(DAYS[0], MAIN)).offset)
        assert totals.loads[DAYS[0]] > 2
        assert sorted(set(seen)) == seen

    async def test_a_position_identifies_one_state_of_a_table(self, ranking: MemoryRanking, totals: Totals) -> None:
        key = DAYS[0]
        before = await ranking.position(key, MAIN)
        totals.tables[key] = {"ann": standing(1)}
        await put(ranking, key, **totals.tables[key])
        for other in DAYS[1:3]:
            await ranking.warm(other, MAIN)
        assert await ranking.position(key, MAIN) != before

    async def test_a_failed_load_is_retried(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(5)}
        totals.fault = OSError("disk")
        for _ in range(2):
            with pytest.raises(NotRanked):
                await ranking.total(KEY, MAIN)
        totals.fault = None
        assert await scores(ranking) == [("ann", 5)]
        assert totals.loads[KEY] == 3
