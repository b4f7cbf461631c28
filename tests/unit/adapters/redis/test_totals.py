import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from harness.waiting import eventually
from scoreboard.adapters.redis import totals
from scoreboard.adapters.redis.totals import FRESH_MS, GOOD_MS, Counts
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, table

MAIN = board()
KEY = table(MAIN)


class Counted:
    """Totals that are counted no sooner than `going`, and what was noted of it."""

    def __init__(self) -> None:
        self.counts = Counts(self, self.note)
        self.noted: list[int] = []
        self.began = 0
        self.going = asyncio.Event()

    async def total(self, _: TableKey, __: Board) -> int:
        self.began += 1
        await self.going.wait()
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


async def test_a_fresh_count_is_not_made_again(counted: Counted) -> None:
    for age_ms in (-1, 0, FRESH_MS - 1):
        assert not await counted.counts.refreshed(KEY, MAIN, age_ms)
    assert counted.began == 0


async def test_a_good_one_is_used_while_it_is_made_again(counted: Counted) -> None:
    for _ in range(3):
        assert not await counted.counts.refreshed(KEY, MAIN, FRESH_MS)
    counted.going.set()
    assert await counted.counts.refreshed(KEY, MAIN, GOOD_MS)
    assert (counted.began, counted.noted) == (1, [6])


async def test_it_is_counted_for_a_small_part_of_the_time(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "SHARE", 1e9)
    counted.going.set()
    assert await counted.counts.refreshed(KEY, MAIN, GOOD_MS)
    assert not await counted.counts.refreshed(KEY, MAIN, GOOD_MS)
    assert counted.began == 1


async def test_a_count_that_fails_or_is_ended_notes_nothing(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "SHARE", 0)
    counted.began = 1
    counted.going.set()
    assert await counted.counts.refreshed(KEY, MAIN, GOOD_MS)
    counted.going.clear()
    waiting = asyncio.create_task(counted.counts.refreshed(KEY, MAIN, GOOD_MS))
    await eventually(lambda: counted.began == 3)
    await counted.counts.close()
    assert await waiting
    assert counted.noted == []
