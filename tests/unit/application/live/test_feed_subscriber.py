from collections.abc import Callable, Collection
from typing import cast

import pytest

from scoreboard.application.live.feed_subscriber import FeedSubscriber
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.ranking import NotRanked, Position, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey
from tests.making import board, table

MAIN = board()
WORLD, EUROPE = table(MAIN), table(MAIN, region="europe")


class World:
    """What is shown, what the ranking says of it, and what is heard."""

    def __init__(self) -> None:
        self.shown_now: dict[TableKey, Board] = {}
        self.positions: dict[TableKey, Position] = {}
        self.watched: set[TableKey] = set()
        self.to_rank: list[TableKey] = []
        self.heard: Callable[[TableKey], None] = lambda _: None

    def shown(self) -> dict[TableKey, Board]:
        return self.shown_now

    def table_changed(self, key: TableKey) -> None:
        self.to_rank.append(key)

    async def position(self, key: TableKey, _: Board) -> Position:
        if key not in self.positions:
            raise NotRanked("unavailable")
        return self.positions[key]

    def listen(self, heard: Callable[[TableKey], None]) -> None:
        self.heard = heard

    def watch(self, keys: Collection[TableKey]) -> None:
        self.watched = set(keys)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def gateway(world: World) -> FeedSubscriber:
    return FeedSubscriber(cast("Publisher", world), cast("Ranking", world), cast("Feed", world))


async def test_what_is_shown_is_watched_and_nothing_else(world: World, gateway: FeedSubscriber) -> None:
    for shown in ({WORLD}, {WORLD, EUROPE}, {EUROPE}, set[TableKey]()):
        world.shown_now = dict.fromkeys(shown, MAIN)
        await gateway.once()
        assert world.watched == shown


async def test_a_change_that_was_not_heard_is_found_by_its_position(world: World, gateway: FeedSubscriber) -> None:
    world.shown_now, world.positions[WORLD] = {WORLD: MAIN}, Position("one", 1)
    await gateway.once()
    world.to_rank.clear()
    await gateway.once()
    assert world.to_rank == []
    for moved in (Position("one", 2), Position("two", 1)):
        world.positions[WORLD] = moved
        await gateway.once()
        assert world.to_rank == [WORLD]
        world.to_rank.clear()


async def test_what_cannot_be_ranked_now_is_looked_at_each_time(world: World, gateway: FeedSubscriber) -> None:
    world.shown_now = {WORLD: MAIN}
    for _ in range(3):
        await gateway.once()
    assert world.to_rank == [WORLD] * 3


async def test_what_is_heard_is_told_at_once(world: World, gateway: FeedSubscriber) -> None:
    assert gateway
    world.heard(EUROPE)
    assert world.to_rank == [EUROPE]
