"""Sessions of open connections, which write shared frames to their transport."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from scoreboard.application.identity.authorization import authorize_read
from scoreboard.application.live.hub import PENDING, Channel, TopMessage
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.ranking import Position
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError

MAX_BEHIND_S = 30.0

_TEXT = 0x81  # FIN and opcode 1 (RFC 6455, 5.2)
PING = b"\x89\x00"


def ws_frame(payload: bytes) -> bytes:
    """Return an unmasked text frame, as servers send it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload


class Framing(NamedTuple):
    """Wire format of a protocol: frames of a message, without and with its changes.

    `name` is the key under which a message caches its frames. `keep_alive` is sent to quiet connections.
    `unsubscribed` frames the end of a channel, or is None if the connection ends with its channel.
    """

    name: str
    frame: Callable[[TopMessage], tuple[bytes, bytes]]
    keep_alive: bytes
    unsubscribed: Callable[[Channel], bytes] | None = None


class LiveSession:
    """A Session of the hub and the WriteListener of its transport."""

    __slots__ = (
        "_framing",
        "_transport",
        "_write",
        "behind",
        "behind_since",
        "channels",
        "ended",
        "last_received",
        "messages",
        "principal",
    )

    def __init__(self, transport: asyncio.Transport, framing: Framing, now: float) -> None:
        self._transport = transport
        self._write = transport.write
        self._framing = framing
        self.principal: Principal | None = None
        self.channels: set[Channel] = set()
        self.behind: set[Channel] | None = None  # channels with unsent messages while the transport is paused
        self.behind_since = 0.0
        self.ended: asyncio.Event | None = None  # set when the transport is lost
        self.last_received = now
        self.messages = 0  # received since the last check

    def send(self, channel: Channel, message: TopMessage, had: Position | None) -> bool:
        if self.behind is not None:
            self.behind.add(channel)
            return False
        framed = message.framed.get(self._framing.name) or self._framed(message)
        try:
            self._write(framed[had is not None and had == message.previous])  # with changes since `had`
        except RuntimeError:  # the transport is closed
            return False
        return True

    def send_text(self, channel: Channel, message: TopMessage, had: Position | None) -> None:
        """Write a message even while older ones are unsent."""
        framed = message.framed.get(self._framing.name) or self._framed(message)
        channel.sessions[self] = message.position
        self.write(framed[had is not None and had == message.previous])

    def _framed(self, message: TopMessage) -> tuple[bytes, bytes]:
        framed = message.framed[self._framing.name] = self._framing.frame(message)
        return framed

    def pause(self) -> None:
        if self.behind is None:
            self.behind = set()
            self.behind_since = asyncio.get_running_loop().time()

    def resume(self) -> None:
        """Send the newest message of each channel that was skipped."""
        skipped, self.behind = self.behind or (), None
        for channel in skipped:
            had = channel.sessions.get(self, PENDING)
            if channel.message is not None and had is not PENDING:
                self.send_text(channel, channel.message, had)

    def is_stuck(self, now: float) -> bool:
        return self.behind is not None and now - self.behind_since > MAX_BEHIND_S

    def lost(self) -> None:
        if self.ended is not None:
            self.ended.set()

    def write(self, frame: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame)

    def may_watch(self, board: Board) -> bool:
        try:
            authorize_read(self.principal, board)
        except ScoreboardError:
            return False
        return True

    def unsubscribe(self, channel: Channel) -> None:
        self.channels.discard(channel)
        if self._framing.unsubscribed is None:
            self._transport.close()
        else:
            self.write(self._framing.unsubscribed(channel))

    def keep_alive(self) -> None:
        self.write(self._framing.keep_alive)

    def abort(self) -> None:
        self._transport.abort()
