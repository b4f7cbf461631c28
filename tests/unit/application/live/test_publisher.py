import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.live.hub import Channel, ChannelKey, Hub, TopMessage
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ranking import NotRanked, Position
from scoreboard.application.standings.reads import Reads
from scoreboard.domain.board import Board
from scoreboard.domain.top import Line, TopSnapshot
from tests.making import HOUR, NOON, ManualClock, board, table

DAILY = board(period="daily")
TODAY = "2026-11-21"


class World:
    """A board of one player whose score is `score`, and a page that watches it."""

    def __init__(self) -> None:
        self.score = 1
        self.reads = 0
        self.fault: Exception | None = None
        self.sent = asyncio.Event()
        self.messages: list[TopMessage] = []

    async def live_top(self, of: Board, season: str | None, _: str) -> TopSnapshot:
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        return TopSnapshot(of, "1", season or TODAY, 1, NOON, [Line(1, "ann", "ann", None, self.score, NOON)])

    def send(self, _: Channel, message: TopMessage, _last: Position | None) -> bool:
        self.messages.append(message)
        self.sent.set()
        return True

    def may_watch(self, _: Board) -> bool:
        return True

    def unsubscribe(self, _: Channel) -> None:
        return None

    async def next_message(self) -> None:
        async with asyncio.timeout(BOUND_S):
            await self.sent.wait()
        self.sent.clear()


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def hub() -> Hub:
    return Hub("epoch", asyncio.Event())


@pytest.fixture
async def publisher(hub: Hub, world: World, clock: ManualClock) -> AsyncIterator[Publisher]:
    publisher = Publisher(hub, cast("Reads", world), clock, min_pause_s=0.0, share=0)
    yield publisher
    await publisher.close()


async def quiet(publisher: Publisher) -> None:
    while publisher.busy:
        await asyncio.gather(*publisher.busy.values(), return_exceptions=True)


@pytest.mark.parametrize("season", [None, TODAY])
async def test_a_change_reaches_pages_of_its_season_and_of_the_current_one(
    hub: Hub, world: World, publisher: Publisher, season: str | None
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, season, ""), DAILY, world)
    publisher.changed(DAILY, table(DAILY, TODAY))
    await world.next_message()
    assert len(world.messages) == 1


async def test_a_change_to_a_past_season_is_not_sent_to_pages_of_the_current_one(
    hub: Hub, world: World, publisher: Publisher, clock: ManualClock
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, None, ""), DAILY, world)
    clock.now += 12 * HOUR
    publisher.changed(DAILY, table(DAILY, TODAY))
    await quiet(publisher)
    assert world.reads == 0


async def test_a_table_without_sessions_is_not_read(hub: Hub, world: World, publisher: Publisher) -> None:
    publisher.changed(DAILY, table(DAILY, TODAY))
    publisher.boards_changed(lambda board: board == DAILY)
    publisher.table_changed(table(DAILY, TODAY))
    await quiet(publisher)
    assert world.reads == 0


async def test_changes_are_coalesced_and_the_last_is_never_missed(hub: Hub, world: World, publisher: Publisher) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, TODAY, ""), DAILY, world)
    for score in range(2, 100):
        world.score = score
        publisher.changed(DAILY, table(DAILY, TODAY))
        if score % 10 == 0:
            await asyncio.sleep(0)
    await quiet(publisher)
    assert world.messages[-1].top.lines[0].score == 99
    assert len(world.messages) < 50


@pytest.mark.parametrize("fault", [NotRanked("warming"), RuntimeError("a transient fault")])
async def test_a_failed_read_is_repeated_without_another_change(
    hub: Hub, world: World, publisher: Publisher, fault: Exception
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, TODAY, ""), DAILY, world)
    world.fault = fault
    publisher.changed(DAILY, table(DAILY, TODAY))
    while not world.reads:  # noqa: ASYNC110 - lets the other task run
        await asyncio.sleep(0)
    world.fault = None
    await quiet(publisher)
    assert len(world.messages) == 1


@pytest.mark.parametrize(("clock_passes", "reads"), [(0, 0), (12 * HOUR, 1)])
async def test_a_new_season_is_published_to_pages_that_follow_the_current_one(
    hub: Hub, world: World, publisher: Publisher, clock: ManualClock, clock_passes: int, reads: int
) -> None:
    channel = hub.subscribe(ChannelKey(DAILY.pk, None, ""), DAILY, world)
    hub.subscribe(ChannelKey(DAILY.pk, TODAY, ""), DAILY, world)
    hub.refresh(channel, await world.live_top(DAILY, None, ""))
    world.reads = 0
    clock.now += clock_passes
    await publisher.turn_seasons()
    await quiet(publisher)
    assert world.reads == reads
