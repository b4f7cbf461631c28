import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from harness.waiting import eventually
from scoreboard.adapters.redis.timeouts import LIMITS, RankingLimits
from scoreboard.adapters.redis.totals import Counts
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, table

MAIN = board()
KEY = table(MAIN)


class Counted:
    """Totals that return a count once `released` is set, and the noted counts."""

    def __init__(self, count_pauses: float = LIMITS.count_pauses) -> None:
        self.counts = Counts(self, self.note, RankingLimits(count_pauses=count_pauses))
        self.noted: list[int] = []
        self.began = 0
        self.released = asyncio.Event()

    async def total(self, _: TableKey, __: Board) -> int:
        self.began += 1
        await self.released.wait()
        if self.began == 1:
            return 6
        raise NotRanked("unavailable")

    async def note(self, _: TableKey, total: int) -> None:
        self.noted.append(total)

    async def top(self, *_: object) -> Sequence[tuple[str, Standing]]:
        raise NotImplementedError

    async def standings_of(self, _: TableKey, __: Board, ___: Collection[str]) -> Mapping[str, Standing]:
        raise NotImplementedError


@pytest.fixture
async def counted() -> Counted:
    return Counted()


async def test_a_fresh_count_is_not_repeated(counted: Counted) -> None:
    for age_ms in (-1, 0, LIMITS.fresh_ms - 1):
        assert not await counted.counts.refresh(KEY, MAIN, age_ms)
    assert counted.began == 0


async def test_a_usable_count_is_used_while_it_is_refreshed(counted: Counted) -> None:
    for _ in range(3):
        assert not await counted.counts.refresh(KEY, MAIN, LIMITS.fresh_ms)
    counted.released.set()
    assert await counted.counts.refresh(KEY, MAIN, LIMITS.usable_ms)
    assert (counted.began, counted.noted) == (1, [6])


async def test_counting_takes_a_small_part_of_the_time() -> None:
    counted = Counted(count_pauses=1e9)
    counted.released.set()
    assert await counted.counts.refresh(KEY, MAIN, LIMITS.usable_ms)
    assert not await counted.counts.refresh(KEY, MAIN, LIMITS.usable_ms)
    assert counted.began == 1


async def test_a_count_that_fails_or_is_cancelled_notes_nothing() -> None:
    counted = Counted(count_pauses=0)
    counted.began = 1
    counted.released.set()
    assert await counted.counts.refresh(KEY, MAIN, LIMITS.usable_ms)
    counted.released.clear()
    waiting = asyncio.create_task(counted.counts.refresh(KEY, MAIN, LIMITS.usable_ms))
    await eventually(lambda: counted.began == 3)
    await counted.counts.close()
    assert await waiting
    assert counted.noted == []
