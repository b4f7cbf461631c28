"""What is MemoryRanking's own: tables that load, wait, are set aside and load again. The rest is in tests/ports."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory import ranking as ranking_module
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.ranking import NotRanked, OrderKey
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, standing, table

MAIN = board()
KEY = table(MAIN)
DAYS = [table(MAIN, f"2026-11-{day}") for day in range(10, 22)]


class Totals:
    """The ledger's totals, read at once but given no sooner than `going`."""

    def __init__(self) -> None:
        self.tables: dict[TableKey, dict[str, Standing]] = {}
        self.going = asyncio.Event()
        self.loads: Counter[TableKey] = Counter()
        self.asked = asyncio.Event()
        self.fault: Exception | None = None

    async def load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        self.loads[key] += 1
        self.asked.set()
        rows = list(self.tables.get(key, {}).items())
        await self.going.wait()
        if self.fault is not None:
            raise self.fault
        yield rows


@pytest.fixture
async def totals() -> Totals:
    return Totals()


@pytest.fixture
def ranking(totals: Totals) -> MemoryRanking:
    return MemoryRanking(totals.load, "epoch", max_tables=2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking_module, "GRACE_S", 0.001)


async def scores(ranking: MemoryRanking, key: TableKey = KEY) -> list[tuple[str, int]]:
    await ranking.warm(key, MAIN)
    return [(one.player, one.score) for one in (await ranking.slice(key, MAIN, 0, 100)).rows]


async def put(ranking: MemoryRanking, key: TableKey = KEY, **standings: Standing) -> None:
    with contextlib.suppress(NotRanked):
        await ranking.apply(key, MAIN, standings, place=False)


READS: dict[str, Callable[[MemoryRanking], Awaitable[Any]]] = {
    "slice": lambda ranking: ranking.slice(KEY, MAIN, 0, 10),
    "slice_after": lambda ranking: ranking.slice_after(KEY, MAIN, OrderKey(1, 1, "ann"), 1),
    "details": lambda ranking: ranking.get_rank(KEY, MAIN, "ann"),
    "total": lambda ranking: ranking.total(KEY, MAIN),
    "apply": lambda ranking: ranking.apply(KEY, MAIN, {"ann": standing(1)}, place=True),
}


class TestEmptyTables:
    async def test_they_are_answered_and_push_none_out(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.going.set()
        totals.tables[KEY] = {"ann": standing(1)}
        assert await scores(ranking) == [("ann", 1)]
        for day in DAYS:
            assert await ranking.total(day, MAIN) == 0
            assert await ranking.get_rank(day, MAIN, "ann") is None
            assert await scores(ranking, day) == []
        assert await scores(ranking) == [("ann", 1)]
        assert totals.loads[KEY] == 1

    async def test_their_position_stays_until_there_is_a_standing(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.going.set()
        assert await ranking.total(KEY, MAIN) == 0
        empty = await ranking.position(KEY, MAIN)
        assert await ranking.total(DAYS[0], MAIN) == 0
        assert await ranking.position(KEY, MAIN) == empty
        await put(ranking, ann=standing(5))
        assert await ranking.position(KEY, MAIN) != empty
        totals.tables = {key: {"zoe": standing(1)} for key in [KEY, *DAYS]}
        for day in DAYS[:3]:
            await ranking.warm(day, MAIN)
        assert await ranking.position(KEY, MAIN) != empty  # set aside by now

    async def test_an_update_while_one_is_loaded_makes_it_a_table(self, ranking: MemoryRanking, totals: Totals) -> None:
        asked = asyncio.create_task(ranking.total(KEY, MAIN))
        await totals.asked.wait()
        updated = asyncio.create_task(put(ranking, ann=standing(5)))
        await asyncio.sleep(0)
        totals.going.set()
        await asyncio.gather(asked, updated)
        assert await scores(ranking) == [("ann", 5)]
        assert totals.loads[KEY] == 1


@pytest.mark.usefixtures("impatient")
class TestWhileLoading:
    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_no_answer_is_given(
        self, ranking: MemoryRanking, read: Callable[[MemoryRanking], Awaitable[Any]]
    ) -> None:
        with pytest.raises(NotRanked) as raised:
            await read(ranking)
        assert raised.value.state == "warming"

    async def test_a_table_is_loaded_once_for_all_who_ask(self, ranking: MemoryRanking, totals: Totals) -> None:
        for _ in range(3):
            with pytest.raises(NotRanked):
                await ranking.total(KEY, MAIN)
        totals.going.set()
        await ranking.warm(KEY, MAIN)
        assert totals.loads[KEY] == 1

    async def test_what_is_applied_meanwhile_is_in_after(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(2, version=1)}
        await put(ranking, ann=standing(5, version=2), cat=standing(3, version=1))
        totals.going.set()
        assert await scores(ranking) == [("ann", 5), ("cat", 3), ("bob", 2)]

    async def test_what_is_applied_late_does_not_replace_what_is_newer(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(9, version=3)}
        for version in (3, 2):
            await put(ranking, ann=standing(version, version=version), bob=standing(version, version=2))
        totals.going.set()
        assert await scores(ranking) == [("bob", 9), ("ann", 3)]

    async def test_who_is_removed_meanwhile_is_not_in_after(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(1, version=1), "bob": standing(2)}
        await put(ranking, ann=standing(5, version=2))
        removing = asyncio.create_task(ranking.remove(KEY, "ann", 2))
        totals.going.set()
        await removing
        assert await scores(ranking) == [("bob", 2)]

    async def test_a_caller_that_goes_away_does_not_stop_the_load(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"bob": standing(2)}
        warming = asyncio.create_task(ranking.warm(KEY, MAIN))
        await totals.asked.wait()
        for caller in (warming, asyncio.create_task(ranking.remove(KEY, "ann", 1))):
            await asyncio.sleep(0)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        totals.going.set()
        async with asyncio.timeout(BOUND_S):
            assert await scores(ranking) == [("bob", 2)]

    async def test_who_waits_for_a_board_that_is_dropped_is_not_cancelled(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        warming = asyncio.create_task(ranking.warm(KEY, MAIN))
        await totals.asked.wait()
        removing = asyncio.create_task(ranking.remove(KEY, "ann", 1))
        await asyncio.sleep(0)
        await ranking.drop(MAIN)
        totals.going.set()
        await asyncio.wait([warming, removing])
        assert not warming.cancelled()
        assert not removing.cancelled()

    async def test_a_board_dropped_meanwhile_leaves_nothing(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"bob": standing(2)}
        await put(ranking, ann=standing(5))
        await ranking.drop(MAIN)
        totals.going.set()
        assert await scores(ranking) == [("bob", 2)]
        assert totals.loads[KEY] == 2


class TestALittleLater:
    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_who_asks_while_a_table_loads_is_answered_when_it_is_there(
        self, ranking: MemoryRanking, totals: Totals, read: Callable[[MemoryRanking], Awaitable[Any]]
    ) -> None:
        asking = asyncio.create_task(asyncio.wait_for(read(ranking), BOUND_S))
        await totals.asked.wait()
        totals.going.set()
        await asking

    async def test_who_waits_is_told_no_more_than_not_ranked_when_the_board_goes_just_then(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.tables[KEY] = {"ann": standing(1)}
        asking = asyncio.create_task(ranking.total(KEY, MAIN))
        await totals.asked.wait()
        totals.going.set()
        while ranking.tables[KEY].loading is not None:  # noqa: ASYNC110 - the very turn between the two
            await asyncio.sleep(0)
        await ranking.drop(MAIN)
        with contextlib.suppress(NotRanked):
            assert await asking == 1

    async def test_a_new_player_has_no_rank_before_though_the_table_was_loaded_with_the_new_standing(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.going.set()
        totals.tables[KEY] = {"ann": standing(5), "bob": standing(9)}
        placed = await ranking.apply(KEY, MAIN, {"ann": totals.tables[KEY]["ann"]}, place=True)
        assert placed["ann"].rank == 2
        assert placed["ann"].previous_rank is None

    async def test_a_rank_before_that_the_load_has_overtaken_is_not_made_up(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.going.set()
        totals.tables[KEY] = {"ann": standing(50, version=2), "bob": standing(9)}  # ann was second, with 5
        placed = await ranking.apply(KEY, MAIN, {"ann": totals.tables[KEY]["ann"]}, place=True)
        assert placed["ann"].rank == 1
        assert placed["ann"].previous_rank in {2, None}

    async def test_reads_of_more_tables_than_are_kept_are_all_answered(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        totals.going.set()
        for n, key in enumerate(DAYS):
            totals.tables[key] = {"ann": standing(n)}

        async def read_all(first: int) -> None:
            for key in DAYS[first:] + DAYS[:first]:
                (only,) = (await ranking.slice(key, MAIN, 0, 10)).rows
                assert only.score == DAYS.index(key)

        await asyncio.gather(*(read_all(first) for _ in range(5) for first in range(len(DAYS))))


class TestSetAside:
    @pytest.fixture(autouse=True)
    def loaded_at_once(self, totals: Totals) -> None:
        totals.going.set()
        totals.tables = {key: {"zoe": standing(1)} for key in DAYS}

    async def test_the_table_unused_for_longest_is(self, ranking: MemoryRanking, totals: Totals) -> None:
        first, second, third = DAYS[:3]
        for key in (first, second, first, third, first):
            await ranking.warm(key, MAIN)
            await ranking.total(key, MAIN)
        assert totals.loads == {first: 1, second: 1, third: 1}
        await ranking.total(second, MAIN)
        assert totals.loads[second] == 2

    async def test_a_table_that_is_written_to_is_in_use(self, ranking: MemoryRanking, totals: Totals) -> None:
        first, second, third = DAYS[:3]
        for key in (first, second):
            await ranking.warm(key, MAIN)
        await put(ranking, first, ann=standing(1))
        await ranking.warm(third, MAIN)
        await ranking.total(first, MAIN)
        assert totals.loads[first] == 1

    async def test_a_table_loaded_again_never_repeats_an_offset(self, ranking: MemoryRanking, totals: Totals) -> None:
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

    async def test_one_position_never_stands_for_two_states_of_a_table(
        self, ranking: MemoryRanking, totals: Totals
    ) -> None:
        key = DAYS[0]
        before = await ranking.position(key, MAIN)
        totals.tables[key] = {"ann": standing(1)}
        await put(ranking, key, **totals.tables[key])
        for other in DAYS[1:3]:
            await ranking.warm(other, MAIN)
        assert await ranking.position(key, MAIN) != before

    async def test_a_load_that_failed_is_tried_again(self, ranking: MemoryRanking, totals: Totals) -> None:
        totals.tables[KEY] = {"ann": standing(5)}
        totals.fault = OSError("disk")
        for _ in range(2):
            with pytest.raises(NotRanked):
                await ranking.total(KEY, MAIN)
        totals.fault = None
        assert await scores(ranking) == [("ann", 5)]
        assert totals.loads[KEY] == 3
