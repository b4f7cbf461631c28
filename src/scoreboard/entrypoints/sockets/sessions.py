"""Sessions: one open connection each. Frames are made once for all and written straight to the transport."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from scoreboard.application.live.hub import JOINING, Channel, Message
from scoreboard.application.pipeline import authenticate
from scoreboard.application.ports.access import Credential
from scoreboard.application.ports.ranking import Position
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.sockets import messages

BEHIND_BYTES = 64 * 1024  # unsent, beyond which a session gets only the newest when it has caught up

_TEXT = 0x81  # FIN and opcode 1 (RFC 6455, 5.2)
PING = b"\x89\x00"


def ws_frame(payload: bytes) -> bytes:
    """An unmasked text frame, as servers send (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload


class Framing(NamedTuple):
    """How a protocol frames a message; `name` keys what was framed already. `farewell` tells that a channel sends
    nothing more; None where a connection is for one channel and ends with it."""

    name: str
    frame: Callable[[Message, bytes], bytes]
    farewell: Callable[[Channel], bytes] | None = None


def _farewell(channel: Channel) -> bytes:
    board, (_, season, region) = channel.board, channel.key
    detail = "this board may be watched no more with these rights"
    error = messages.Error("subscription_ended", detail, board.app.app, board.board, region or None, season)
    return ws_frame(messages.encode(error))


WEBSOCKET = Framing("ws", lambda _, json: ws_frame(json), _farewell)
EVENTS = Framing(
    "sse", lambda m, json: b"event: top\nid: %b:%d\ndata: %b\n\n" % (m.position.epoch.encode(), m.position.offset, json)
)


class Connection:
    """A Session of the hub over a transport. `on_behind` is told when it fell behind."""

    __slots__ = (
        "_framing",
        "_on_behind",
        "_transport",
        "behind",
        "behind_since",
        "channels",
        "credential",
        "last_heard",
        "messages",
    )

    def __init__(
        self, transport: asyncio.Transport, framing: Framing, on_behind: Callable[["Connection"], None], now: float
    ) -> None:
        self._transport = transport
        self._framing = framing
        self._on_behind = on_behind
        self.credential: Credential | None = None
        self.channels: set[Channel] = set()
        self.behind: set[Channel] | None = None  # channels with news that could not be written; mostly none
        self.behind_since = 0.0
        self.last_heard = now
        self.messages = 0  # received since the last look

    @property
    def gone(self) -> bool:
        return self._transport.is_closing()

    def offer(self, channel: Channel, message: Message, had: Position | None) -> bool:
        transport = self._transport
        if transport.is_closing():
            return False
        if self.behind is not None or transport.get_write_buffer_size() > BEHIND_BYTES:
            self._note(channel)
            return False
        framed = message.framed.get(self._framing.name) or self._framed(message)
        transport.write(framed[had is not None and had == message.previous])  # with the changes for who had that
        return True

    def send(self, channel: Channel, message: Message, had: Position | None) -> None:
        """Write a message whatever else is unsent."""
        framed = message.framed.get(self._framing.name) or self._framed(message)
        channel.sessions[self] = message.position
        self.write(framed[had is not None and had == message.previous])

    def _framed(self, message: Message) -> tuple[bytes, bytes]:
        frame = self._framing.frame
        framed = frame(message, message.json), frame(message, message.json_with_changes)
        message.framed[self._framing.name] = framed
        return framed

    def _note(self, channel: Channel) -> None:
        if self.behind is None:
            self.behind = set()
        self.behind.add(channel)
        self._on_behind(self)

    def catch_up(self) -> bool:
        """Send the newest of what was missed, if the transport has drained; False while it has not."""
        if not self._transport.is_closing() and self._transport.get_write_buffer_size() > BEHIND_BYTES // 2:
            return False
        missed, self.behind = self.behind or (), None
        for channel in missed:
            had = channel.sessions.get(self, JOINING)
            if channel.message is not None and had is not JOINING:
                self.send(channel, channel.message, had)
        return True

    def write(self, frame: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame)

    def may_watch(self, board: Board) -> bool:
        try:
            authenticate.require_read(self.credential, board)
        except ScoreboardError:
            return False
        return True

    def dismiss(self, channel: Channel) -> None:
        self.channels.discard(channel)
        if self._framing.farewell is None:
            self._transport.close()
        else:
            self.write(self._framing.farewell(channel))

    def abort(self) -> None:
        self._transport.abort()
