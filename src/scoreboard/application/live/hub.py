"""The hub: which sessions watch which tables, and the newest top N of each.

No history is kept. A session is sent the newest message or none: one that cannot keep up skips to the newest when it
can write again, and never slows another.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from scoreboard.application.ports.ranking import Position
from scoreboard.domain.board import Board
from scoreboard.domain.top import Change, Line, TopSnapshot, changes

CHUNK = 128  # sessions written to, in about a millisecond, before other work gets a turn
COMMIT_WAIT_S = 0.004  # at most, between two chunks, however many commits there are
MAX_CHANNELS = 10_000  # beyond which those that nobody watches are forgotten


class ChannelKey(NamedTuple):
    """`season` None follows the current one."""

    board: int
    season: str | None
    region: str


@dataclass(slots=True, eq=False)
class TopMessage:
    """One position of a channel: a top N, and the changes since the position `previous`.

    `framed` belongs to the contracts. Each keeps there what it makes of the message, once, under a name of its own: a
    form without the changes, and one with them for sessions that had the position before.
    """

    position: Position
    previous: Position | None
    region: str
    top: TopSnapshot
    changes: Sequence[Change]
    framed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)


class PendingPosition(Enum):
    """Stands for a position while a subscription is being answered: nothing is sent before the answer."""

    PENDING = 0


PENDING = PendingPosition.PENDING


class Session(Protocol):
    """One open page."""

    def may_watch(self, board: Board) -> bool:
        """Whether its credential has the right."""
        ...

    def unsubscribe(self, channel: "Channel") -> None:
        """Say that nothing more comes from this channel."""
        ...

    def send(self, channel: "Channel", message: TopMessage, had: Position | None) -> bool:
        """Write this message to who `had` this position before, or note that the channel has news for when writing is
        possible again; whether it was written. Never raises."""
        ...


@dataclass(slots=True, eq=False)
class Channel:
    """`sessions` have each the position it was sent last, None before the first.

    `current`: `message` is of a read or publication since somebody watches.
    """

    key: ChannelKey
    board: Board
    sessions: dict[Session, Position | PendingPosition | None] = field(default_factory=dict)
    season: str = ""
    lines: list[Line] | None = None
    message: TopMessage | None = None
    current: bool = False


class Hub:
    """`epoch` names this run of the process: positions do not outlive it, nor the epoch of the ranking."""

    def __init__(
        self,
        epoch: str,
        commit_idle: asyncio.Event,
        *,
        commit_wait_s: float = COMMIT_WAIT_S,
        max_channels: int = MAX_CHANNELS,
    ) -> None:
        self._epoch = epoch
        self._commit_idle = commit_idle
        self._commit_wait_s = commit_wait_s
        self._max_channels = max_channels
        self._channels: dict[ChannelKey, Channel] = {}
        self._offset = 0
        self.subscriptions = 0
        self.watched = asyncio.Event()  # somebody watches what nobody did before

    def channel(self, key: ChannelKey) -> Channel | None:
        """The channel, if anybody watches it."""
        channel = self._channels.get(key)
        return channel if channel is not None and channel.sessions else None

    def channels(self) -> list[Channel]:
        """Those that somebody watches."""
        return [channel for channel in self._channels.values() if channel.sessions]

    @property
    def kept(self) -> int:
        """How many channels are kept, watched or not."""
        return len(self._channels)

    def subscribe(self, key: ChannelKey, board: Board, session: Session) -> Channel:
        """Add a session. What it is offered from now on may come before it was sent a first message."""
        channel = self._channels.get(key)
        if channel is None:
            self._make_room()
            channel = self._channels[key] = Channel(key, board)
        if not channel.sessions:
            self.watched.set()
        if session not in channel.sessions:
            channel.sessions[session] = None
            self.subscriptions += 1
        return channel

    def unsubscribe(self, channel: Channel, session: Session) -> None:
        """Take a session out. The channel keeps its position: who comes back to the same board has nothing to redo."""
        if session in channel.sessions:
            del channel.sessions[session]
            self.subscriptions -= 1
            channel.current = channel.current and bool(channel.sessions)

    def revoke(self, channel: Channel, board: Board | None) -> None:
        """The board is as given now, or gone: dismiss the sessions that may watch it no more."""
        for session in list(channel.sessions):
            if board is None or not session.may_watch(board):
                self.unsubscribe(channel, session)
                session.unsubscribe(channel)
        if board is None:
            self._channels.pop(channel.key, None)

    def _make_room(self) -> None:
        if len(self._channels) >= self._max_channels:
            self._channels = {key: channel for key, channel in self._channels.items() if channel.sessions}

    def refresh(self, channel: Channel, now: TopSnapshot) -> bool:
        """Take a top N over as the channel's newest. False, and no new position, when it is the one it had."""
        channel.current = True
        if channel.lines == now.lines and channel.season == now.season and channel.board == now.board:
            return False
        self._offset += 1
        position = Position(f"{self._epoch}.{now.epoch}", self._offset)
        previous = channel.message.position if channel.message else None
        moves = changes(channel.lines or [], now.lines)
        channel.message = TopMessage(position, previous, channel.key.region, now, moves)
        channel.board, channel.season, channel.lines = now.board, now.season, now.lines
        return True

    async def publish(self, channel: Channel, now: TopSnapshot) -> float:
        """Send a top N to every session of the channel, if it is a new one. Returns what that cost, in seconds."""
        started = time.perf_counter()
        if not self.refresh(channel, now) or channel.message is None:
            return 0.0
        message, sessions = channel.message, channel.sessions
        position = message.position
        listed = list(sessions)
        for start in range(0, len(listed), CHUNK):
            for session in listed[start : start + CHUNK]:
                had = sessions.get(session, PENDING)  # as it is now: some have left, or caught up, meanwhile
                if had is not PENDING and had is not position and session.send(channel, message, had):
                    sessions[session] = position
            await asyncio.sleep(0)
            if not self._commit_idle.is_set():
                await self._wait_for_commit()
        await asyncio.sleep(0)  # the event loop only queues what is written; its turn belongs to the cost
        return time.perf_counter() - started

    async def _wait_for_commit(self) -> None:
        """Keep the event loop idle while a thread of this process commits.

        The thread needs the interpreter for moments only, but many times, and would have to wait for the loop each
        time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._commit_wait_s):
                await self._commit_idle.wait()
