import asyncio

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.live.hub import CHUNK, Channel, ChannelKey, Hub, TopMessage
from scoreboard.application.ports.ranking import Position
from scoreboard.domain.board import Board
from scoreboard.domain.top import Change, Line, TopSnapshot
from tests.making import NOON, board

MAIN = board()
KEY = ChannelKey(MAIN.pk, None, "")


class Page:
    """A session that can always be written to."""

    def __init__(self, *, trusted: bool = False) -> None:
        self._trusted = trusted
        self.messages: list[TopMessage] = []
        self.revoked = False

    def send(self, _: Channel, message: TopMessage, _last: Position | None) -> bool:
        self.messages.append(message)
        return True

    def may_watch(self, of: Board) -> bool:
        return of.public or self._trusted

    def unsubscribe(self, _: Channel) -> None:
        self.revoked = True


def top(*scores: tuple[str, int], of: Board = MAIN, season: str = "all", epoch: str = "1") -> TopSnapshot:
    lines = [Line(rank, player, player, None, score, NOON) for rank, (player, score) in enumerate(scores, 1)]
    return TopSnapshot(of, epoch, season, len(lines), NOON, lines)


@pytest.fixture
def idle() -> asyncio.Event:
    """Return an event that is cleared during a commit."""
    event = asyncio.Event()
    event.set()
    return event


@pytest.fixture
def hub(idle: asyncio.Event) -> Hub:
    return Hub("epoch", idle, commit_wait_s=BOUND_S, max_channels=3)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def channel(hub: Hub, page: Page) -> Channel:
    return hub.subscribe(KEY, MAIN, page)


class TestPositions:
    async def test_a_new_epoch_of_the_ranking_is_a_new_epoch_of_the_channel(
        self, hub: Hub, channel: Channel, page: Page
    ) -> None:
        for score, epoch in ((1, "one"), (2, "one"), (1, "two")):
            await hub.publish(channel, top(("ann", score), epoch=epoch))
        first, second, third = (message.position.epoch for message in page.messages)
        assert first == second != third

    async def test_each_new_top_has_a_later_position_and_names_the_previous(
        self, hub: Hub, channel: Channel, page: Page
    ) -> None:
        for score in (1, 2, 3):
            await hub.publish(channel, top(("ann", score)))
        first, second, third = page.messages
        assert first.position < second.position < third.position
        assert [one.previous for one in page.messages] == [None, first.position, second.position]
        assert {one.position.epoch for one in page.messages} == {"epoch.1"}
        assert channel.message is third

    async def test_an_unchanged_top_is_not_sent(self, hub: Hub, channel: Channel, page: Page) -> None:
        for _ in range(2):
            await hub.publish(channel, top(("ann", 1)))
        assert len(page.messages) == 1

    async def test_an_empty_top_is_sent_to_a_page_that_had_none(self, hub: Hub, channel: Channel, page: Page) -> None:
        await hub.publish(channel, top())
        assert len(page.messages) == 1

    @pytest.mark.parametrize("now", [top(("ann", 1), season="2026-11-22"), top(("ann", 1), of=board(name="Renamed"))])
    async def test_a_changed_season_or_board_is_sent(
        self, hub: Hub, channel: Channel, page: Page, now: TopSnapshot
    ) -> None:
        await hub.publish(channel, top(("ann", 1)))
        await hub.publish(channel, now)
        assert len(page.messages) == 2

    async def test_positions_of_an_epoch_are_unique(self, hub: Hub, channel: Channel, page: Page) -> None:
        other = hub.subscribe(ChannelKey(2, None, ""), board(pk=2), page)
        for one in (channel, other, channel, other):
            await hub.publish(one, top(("ann", len(page.messages))))
        assert len({one.position for one in page.messages}) == 4


class TestMessages:
    async def test_changes_are_those_since_the_previous_message(self, hub: Hub, channel: Channel, page: Page) -> None:
        await hub.publish(channel, top(("ann", 3), ("bob", 2)))
        await hub.publish(channel, top(("cat", 5), ("ann", 3)))
        first, second = page.messages
        assert (first.previous, second.previous) == (None, first.position)
        assert second.changes == [Change("cat", 1, None, 5), Change("ann", 2, 1, 3), Change("bob", None, 2, 2)]

    async def test_a_message_has_its_top_n_and_its_region(self, hub: Hub, page: Page) -> None:
        regional = hub.subscribe(ChannelKey(MAIN.pk, None, "eu"), MAIN, page)
        await hub.publish(regional, top(("ann", 3)))
        (message,) = page.messages
        assert (message.region, message.top, message.framed) == ("eu", top(("ann", 3)), {})


class TestCommits:
    async def test_a_fan_out_waits_for_a_commit_between_two_chunks(
        self, idle: asyncio.Event, hub: Hub, channel: Channel
    ) -> None:
        done = []

        async def fan_out() -> None:
            await hub.publish(channel, top(("ann", 1)))
            done.append("fan-out")

        idle.clear()
        working = asyncio.create_task(fan_out())
        for _ in range(10):
            await asyncio.sleep(0)
        done.append("commit")
        idle.set()
        await working
        assert done == ["commit", "fan-out"]

    async def test_a_long_commit_does_not_stop_a_fan_out(self, idle: asyncio.Event, page: Page) -> None:
        hub = Hub("epoch", idle, commit_wait_s=0.001)
        idle.clear()
        await hub.publish(hub.subscribe(KEY, MAIN, page), top(("ann", 1)))
        assert len(page.messages) == 1


class TestSessions:
    async def test_every_session_is_sent_the_same_message(self, hub: Hub) -> None:
        pages = [Page() for _ in range(CHUNK + 1)]
        for one in pages:
            channel = hub.subscribe(KEY, MAIN, one)
        await hub.publish(channel, top(("ann", 1)))
        assert {id(message) for one in pages for message in one.messages} == {id(channel.message)}
        assert all(len(one.messages) == 1 for one in pages)

    def test_a_repeated_subscription_counts_once(self, hub: Hub, channel: Channel, page: Page) -> None:
        assert hub.subscribe(KEY, MAIN, page) is channel
        assert hub.subscriptions == 1
        hub.unsubscribe(channel, page)
        hub.unsubscribe(channel, page)
        assert hub.subscriptions == 0

    def test_a_channel_without_sessions_is_not_listed(self, hub: Hub, channel: Channel, page: Page) -> None:
        assert hub.channel(KEY) is channel
        assert hub.channels() == [channel]
        hub.unsubscribe(channel, page)
        assert hub.channel(KEY) is None
        assert hub.channels() == []

    async def test_a_later_subscription_finds_the_last_position(self, hub: Hub, channel: Channel, page: Page) -> None:
        await hub.publish(channel, top(("ann", 1)))
        before = channel.message
        hub.unsubscribe(channel, page)
        assert hub.subscribe(KEY, MAIN, page).message is before

    async def test_the_number_of_channels_without_sessions_is_bounded(
        self, hub: Hub, channel: Channel, page: Page
    ) -> None:
        for number in range(10, 20):
            hub.unsubscribe(hub.subscribe(ChannelKey(number, None, ""), MAIN, page), page)
        assert hub.size <= 3
        assert hub.channel(KEY) is channel

    async def test_a_session_that_may_no_longer_watch_is_unsubscribed(
        self, hub: Hub, channel: Channel, page: Page
    ) -> None:
        trusted = Page(trusted=True)
        hub.subscribe(KEY, MAIN, trusted)
        hub.revoke(channel, board(public=False))
        await hub.publish(channel, top(("ann", 1)))
        assert (page.revoked, len(page.messages)) == (True, 0)
        assert (trusted.revoked, len(trusted.messages)) == (False, 1)
        assert hub.subscriptions == 1

    def test_a_deleted_board_unsubscribes_every_session(self, hub: Hub, channel: Channel, page: Page) -> None:
        trusted = Page(trusted=True)
        hub.subscribe(KEY, MAIN, trusted)
        hub.revoke(channel, None)
        assert page.revoked
        assert trusted.revoked
        assert hub.channels() == []
