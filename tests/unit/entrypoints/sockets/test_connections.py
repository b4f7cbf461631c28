"""LiveConnections: joining a channel while its newest message is being read."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from scoreboard.application.live.hub import ChannelKey, Hub, TopMessage
from scoreboard.application.live.origins import Origins
from scoreboard.application.standings.reads import Reads
from scoreboard.domain.board import Board
from scoreboard.domain.errors import NotFound
from scoreboard.domain.top import Line, TopSnapshot
from scoreboard.entrypoints.sockets.connections import LiveConnections, LiveLimits
from scoreboard.entrypoints.sockets.sessions import Framing, LiveSession
from tests.making import NOON, board

MAIN = board()
KEY = ChannelKey(MAIN.pk, None, "")


class Transport:
    """A transport that collects the written data."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Gate:
    """Reads that wait for the test and return its values."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[TopSnapshot]] = []

    async def live_top(self, *_: object) -> TopSnapshot:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]


def _frame(message: TopMessage) -> tuple[bytes, bytes]:
    text = b"%d" % (message.top.lines[0].score if message.top.lines else 0)
    return text, text


def top(score: int, of: Board = MAIN) -> TopSnapshot:
    return TopSnapshot(of, "1", "all", 1, NOON, [Line(1, "ann", "ann", None, score, NOON)])


def connection() -> LiveSession:
    return LiveSession(cast("asyncio.Transport", Transport()), Framing("test", _frame, b""), 0.0)


@pytest.fixture
def hub() -> Hub:
    idle = asyncio.Event()
    idle.set()
    return Hub("epoch", idle)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def live(hub: Hub, gate: Gate) -> LiveConnections:
    return LiveConnections(hub, cast("Reads", gate), Origins(()), LiveLimits())


async def test_a_board_made_private_during_the_read_is_not_joined(live: LiveConnections, hub: Hub, gate: Gate) -> None:
    outsider = connection()
    joining = asyncio.create_task(live.join(outsider, MAIN, KEY))
    await asyncio.sleep(0)
    (channel,) = hub.channels()
    hub.revoke(channel, replace(MAIN, public=False))
    gate.asked[0].set_result(top(5))
    with pytest.raises(NotFound):
        await joining
    assert (channel.sessions, outsider.channels) == ({}, set())


async def test_a_read_does_not_replace_a_newer_publication(live: LiveConnections, hub: Hub, gate: Gate) -> None:
    joining = asyncio.create_task(live.join(connection(), MAIN, KEY))
    await asyncio.sleep(0)
    await hub.publish(hub.channels()[0], top(7))
    gate.asked[0].set_result(top(5))
    assert (await joining).lines == top(7).lines


async def test_concurrent_joins_get_the_current_board(live: LiveConnections, gate: Gate) -> None:
    earlier = connection()
    joining = asyncio.create_task(live.join(earlier, MAIN, KEY))
    await asyncio.sleep(0)
    gate.asked[0].set_result(top(5))
    await joining
    live.leave(earlier, KEY)
    both = [asyncio.create_task(live.join(connection(), MAIN, KEY)) for _ in range(2)]
    await asyncio.sleep(0)
    assert [task.done() for task in both] == [False, False]
    for asked in gate.asked[1:]:
        asked.set_result(top(9))
    for channel in await asyncio.gather(*both):
        assert channel.lines == top(9).lines
    assert (await live.join(connection(), MAIN, KEY)).lines == top(9).lines  # without another read
    assert len(gate.asked) == 3
