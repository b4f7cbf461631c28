import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.live import publisher as publish_module
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
        self.offered = asyncio.Event()
        self.messages: list[TopMessage] = []

    async def live_top(self, of: Board, season: str | None, _: str) -> TopSnapshot:
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        return TopSnapshot(of, "1", season or TODAY, 1, NOON, [Line(1, "ann", "ann", None, self.score, NOON)])

    def send(self, _: Channel, message: TopMessage, _had: Position | None) -> bool:
        self.messages.append(message)
        self.offered.set()
        return True

    def may_watch(self, _: Board) -> bool:
        return True

    def unsubscribe(self, _: Channel) -> None:
        return None

    async def told(self) -> None:
        async with asyncio.timeout(BOUND_S):
            await self.offered.wait()
        self.offered.clear()


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_module, "MIN_PAUSE_S", 0.0)


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def hub() -> Hub:
    return Hub("epoch", asyncio.Event())


@pytest.fixture
async def publish(hub: Hub, world: World, clock: ManualClock) -> AsyncIterator[Publisher]:
    made = Publisher(hub, cast("Reads", world), clock)
    yield made
    await made.close()


async def quiet(publish: Publisher) -> None:
    while publish.busy:
        await asyncio.gather(*publish.busy.values(), return_exceptions=True)


@pytest.mark.parametrize("season", [None, TODAY])
async def test_a_change_reaches_who_watches_the_season_or_follows_the_current_one(
    hub: Hub, world: World, publish: Publisher, season: str | None
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, season, ""), DAILY, world)
    publish.changed(DAILY, table(DAILY, TODAY))
    await world.told()
    assert len(world.messages) == 1


async def test_a_change_to_a_season_that_is_over_is_no_news_to_who_follows_the_current_one(
    hub: Hub, world: World, publish: Publisher, clock: ManualClock
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, None, ""), DAILY, world)
    clock.now += 12 * HOUR
    publish.changed(DAILY, table(DAILY, TODAY))
    await quiet(publish)
    assert world.reads == 0


async def test_what_nobody_watches_is_not_read(hub: Hub, world: World, publish: Publisher) -> None:
    publish.changed(DAILY, table(DAILY, TODAY))
    publish.boards_changed(lambda board: board == DAILY)
    publish.table_changed(table(DAILY, TODAY))
    await quiet(publish)
    assert world.reads == 0


async def test_changes_that_come_together_are_one_message_and_the_last_is_never_missed(
    hub: Hub, world: World, publish: Publisher
) -> None:
    hub.subscribe(ChannelKey(DAILY.pk, TODAY, ""), DAILY, world)
    for score in range(2, 100):
        world.score = score
        publish.changed(DAILY, table(DAILY, TODAY))
        if score % 10 == 0:
            await asyncio.sleep(0)
    await quiet(publish)
    assert world.messages[-1].top.lines[0].score == 99
    assert len(world.messages) < 50


@pytest.mark.parametrize("fault", [NotRanked("warming"), RuntimeError("a moment's fault")])
async def test_a_table_that_could_not_be_read_is_told_when_it_can_be_without_another_change(
    hub: Hub, world: World, publish: Publisher, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_module, "SHARE", 0)
    hub.subscribe(ChannelKey(DAILY.pk, TODAY, ""), DAILY, world)
    world.fault = fault
    publish.changed(DAILY, table(DAILY, TODAY))
    while not world.reads:  # noqa: ASYNC110 - a turn for the other task, no time
        await asyncio.sleep(0)
    world.fault = None
    await quiet(publish)
    assert len(world.messages) == 1
