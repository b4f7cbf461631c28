"""Hub: the sessions that watch each table, and the newest top N of each.

No history is kept. A session that cannot keep up skips messages, and gets the newest when it can write again. It never
delays another session.
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

CHUNK = 128  # sessions written to without a pause, which takes about a millisecond
COMMIT_WAIT_S = 0.004  # the longest wait for commits between two chunks
MAX_CHANNELS = 10_000  # with more, the channels without sessions are removed


class ChannelKey(NamedTuple):
    """The table of a channel. With `season` None it is that of the current season."""

    board: int
    season: str | None
    region: str


@dataclass(slots=True, eq=False)
class TopMessage:
    """One position of a channel: a top N, and its changes since `previous`.

    `framed` maps the name of a contract to its two encodings of the message. The first has no changes, the second has
    them, for sessions whose last position is `previous`.
    """

    position: Position
    previous: Position | None
    region: str
    top: TopSnapshot
    changes: Sequence[Change]
    framed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)


class PendingPosition(Enum):
    """The mark of a session that is sent nothing before the response to its request."""

    PENDING = 0


PENDING = PendingPosition.PENDING


class Session(Protocol):
    """One open page."""

    def may_watch(self, board: Board) -> bool:
        """Return whether the session's credential permits it to read the board."""
        ...

    def unsubscribe(self, channel: "Channel") -> None:
        """Notify the client that the channel ended."""
        ...

    def send(self, channel: "Channel", message: TopMessage, last: Position | None) -> bool:
        """Write a message, and return True. `last` is the position that was sent before.

        A session that cannot write now returns False, and writes the newest message later. It must not raise.
        """
        ...


@dataclass(slots=True, eq=False)
class Channel:
    """A table that sessions watch, or watched.

    `sessions` maps each session to the position that it was sent last, None before the first. `current` is false until
    `message` is read or published after the first session came.
    """

    key: ChannelKey
    board: Board
    sessions: dict[Session, Position | PendingPosition | None] = field(default_factory=dict)
    season: str = ""
    lines: list[Line] | None = None
    message: TopMessage | None = None
    current: bool = False


class Hub:
    """The channels of a process.

    `epoch` names this run of the process. After a restart, or a new epoch of the ranking, positions start again. While
    `commit_idle` is cleared, a commit is under way, for which a fan-out waits.
    """

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
        self.watched = asyncio.Event()  # set when a channel gets its first session

    def channel(self, key: ChannelKey) -> Channel | None:
        """Return the channel if it has sessions."""
        channel = self._channels.get(key)
        return channel if channel is not None and channel.sessions else None

    def channels(self) -> list[Channel]:
        """Return the channels that have sessions."""
        return [channel for channel in self._channels.values() if channel.sessions]

    @property
    def size(self) -> int:
        """The number of channels, with sessions or without."""
        return len(self._channels)

    def subscribe(self, key: ChannelKey, board: Board, session: Session) -> Channel:
        """Add a session, which may be sent a message at once unless it is set to PENDING."""
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
        """Remove a session. The channel keeps its position for the next one."""
        if session in channel.sessions:
            del channel.sessions[session]
            self.subscriptions -= 1
            channel.current = channel.current and bool(channel.sessions)

    def revoke(self, channel: Channel, board: Board | None) -> None:
        """Unsubscribe the sessions that may not watch the changed or deleted (None) board."""
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
        """Make a top N the newest message, and return whether it differs from the last."""
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
        """Send a changed top N to the sessions of a channel. Return the cost in seconds."""
        started = time.perf_counter()
        if not self.refresh(channel, now) or channel.message is None:
            return 0.0
        message, sessions = channel.message, channel.sessions
        position = message.position
        listed = list(sessions)
        for start in range(0, len(listed), CHUNK):
            for session in listed[start : start + CHUNK]:
                last = sessions.get(session, PENDING)  # read now: during the pauses some left or caught up
                if last is not PENDING and last is not position and session.send(channel, message, last):
                    sessions[session] = position
            await asyncio.sleep(0)
            if not self._commit_idle.is_set():
                await self._wait_for_commit()
        await asyncio.sleep(0)  # the event loop sends what was queued: part of the cost
        return time.perf_counter() - started

    async def _wait_for_commit(self) -> None:
        """Keep the event loop idle while a thread of this process commits.

        The thread needs the interpreter often, for moments, and would wait for the loop each time.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._commit_wait_s):
                await self._commit_idle.wait()
