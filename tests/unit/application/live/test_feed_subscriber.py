import asyncio
from collections.abc import Callable, Collection
from typing import cast

import pytest

from harness.waiting import BOUND_S
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
    """The publisher, the ranking and the feed."""

    def __init__(self) -> None:
        self.watched: dict[TableKey, Board] = {}
        self.positions: dict[TableKey, Position] = {}
        self.newly = asyncio.Event()
        self.subscribed: set[TableKey] = set()
        self.published: list[TableKey] = []
        self.report: Callable[[TableKey], None] = lambda _: None

    async def newly_watched(self, within_s: float) -> None:
        assert within_s == BOUND_S
        await self.newly.wait()

    def watched_tables(self) -> dict[TableKey, Board]:
        return self.watched

    def table_changed(self, key: TableKey) -> None:
        self.published.append(key)

    async def position(self, key: TableKey, _: Board) -> Position:
        if key not in self.positions:
            raise NotRanked("unavailable")
        return self.positions[key]

    def listen(self, listener: Callable[[TableKey], None]) -> None:
        self.report = listener

    def watch(self, keys: Collection[TableKey]) -> None:
        self.subscribed = set(keys)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def subscriber(world: World) -> FeedSubscriber:
    return FeedSubscriber(cast("Publisher", world), cast("Ranking", world), cast("Feed", world), period_s=BOUND_S)


async def test_the_watched_tables_are_subscribed_to(world: World, subscriber: FeedSubscriber) -> None:
    for keys in ({WORLD}, {WORLD, EUROPE}, {EUROPE}, set[TableKey]()):
        world.watched = dict.fromkeys(keys, MAIN)
        await subscriber.compare()
        assert world.subscribed == keys


async def test_a_change_that_the_feed_lost_is_found_by_its_position(world: World, subscriber: FeedSubscriber) -> None:
    world.watched, world.positions[WORLD] = {WORLD: MAIN}, Position("one", 1)
    await subscriber.compare()
    world.published.clear()
    await subscriber.compare()
    assert world.published == []
    for moved in (Position("one", 2), Position("two", 1)):
        world.positions[WORLD] = moved
        await subscriber.compare()
        assert world.published == [WORLD]
        world.published.clear()


async def test_a_table_that_is_not_ranked_is_published_each_time(world: World, subscriber: FeedSubscriber) -> None:
    world.watched = {WORLD: MAIN}
    for _ in range(3):
        await subscriber.compare()
    assert world.published == [WORLD] * 3


async def test_a_change_that_the_feed_reports_is_published(world: World, subscriber: FeedSubscriber) -> None:
    assert subscriber
    world.report(EUROPE)
    assert world.published == [EUROPE]


async def test_positions_are_compared_after_the_wait_for_a_watched_table(
    world: World, subscriber: FeedSubscriber
) -> None:
    world.positions[WORLD] = Position("one", 1)
    following = asyncio.create_task(subscriber.follow())
    await asyncio.sleep(0)
    assert world.published == []
    world.watched = {WORLD: MAIN}
    world.newly.set()
    await following
    assert world.published == [WORLD]
