from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.standings.reads import Page, Reads
from scoreboard.application.standings.top_pages import TopPages
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey
from tests.making import ManualClock, board, standing, table

MAIN = board(top_n=3)
KEY = table(MAIN)


class World:
    """Four players, and the versions of the encoded pages."""

    def __init__(self, clock: ManualClock, capacity: int = 9) -> None:
        self.encoded: list[str] = []
        self.fault: Exception | None = None
        self.ranking = MemoryRanking(self._load, "epoch", load_s=BOUND_S)
        self.names = PlayerCache(cast("Directory", self))
        reads = Reads(
            cast("Directory", self), cast("Ledger", self), self.ranking, self.names, Cursors(bytes(32)), clock
        )
        self.pages = TopPages(reads, self._encode, capacity)

    async def find_players(self, *_: object) -> dict[str, object]:
        return {}

    async def _load(self, _: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        if self.fault is not None:
            raise self.fault
        yield [(player, standing(n)) for n, player in enumerate("abcd")]

    def _encode(self, _: Board, page: Page, version: str) -> str:
        self.encoded.append(version)
        return "".join(line.player for line in page.lines)


@pytest.fixture
def world(clock: ManualClock) -> World:
    return World(clock)


async def test_an_unchanged_page_is_encoded_once(world: World) -> None:
    for _ in range(3):
        assert await world.pages.get(MAIN, KEY, None, None) == "dcb"
        assert await world.pages.get(MAIN, KEY, 1, None) == "d"
    assert len(set(world.encoded)) == len(world.encoded) == 2


async def test_a_new_standing_a_rename_or_a_changed_board_invalidates_a_page(world: World) -> None:
    await world.pages.get(MAIN, KEY, None, None)
    await world.ranking.apply(KEY, MAIN, {"e": standing(9)}, place=False)
    assert await world.pages.get(MAIN, KEY, None, None) == "edc"
    world.names.invalidate(MAIN.app, "d")
    await world.pages.get(MAIN, KEY, None, None)
    assert len(set(world.encoded)) == len(world.encoded) == 3
    await world.pages.get(replace(MAIN, name="Renamed"), KEY, None, None)
    assert len(world.encoded) == 4


async def test_the_cache_is_bounded(clock: ManualClock) -> None:
    world = World(clock, capacity=2)
    for limit in (1, 2, 3, 1):
        await world.pages.get(MAIN, KEY, limit, None)
    assert len(world.encoded) == 4
    await world.pages.get(MAIN, KEY, 3, None)
    assert len(world.encoded) == 4


async def test_a_table_that_is_not_ranked_is_unavailable(world: World) -> None:
    world.fault = OSError("disk")
    with pytest.raises(Unavailable) as raised:
        await world.pages.get(MAIN, KEY, None, None)
    assert (raised.value.code, raised.value.retry_after_s) == ("ranking_warming", 1)
