"""LiveConnections: the open WebSockets and event streams of a process, from the first byte to the last."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import structlog
from aiohttp import HttpVersion11, WSMsgType, web
from aiohttp.log import ws_logger

from scoreboard.application.live import close_codes
from scoreboard.application.live.close_codes import Close
from scoreboard.application.live.hub import PENDING, Channel, ChannelKey, Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.live.write_listener import ObservableTransport
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.standings.reads import Reads
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.sockets.sessions import Framing, LiveSession

log = structlog.get_logger(__name__)
ws_logger.setLevel(logging.ERROR)  # its warnings repeat what clients send: a line each for an unknown subprotocol

LOOK_EVERY_S = 5.0
PING_AFTER_S = 25.0  # of silence
SILENT_AFTER_S = 60.0
MAX_MESSAGES = 200  # from one client between two looks
WARMING_TRIES = 60
SLICE = 100  # connections that are looked at in one go
CLOSED_AT_ONCE = 500

Receive: TypeAlias = Callable[[LiveSession, str], Awaitable[None]]
"""Handle one text message of a client. Raises Ended to close the connection."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    connections: int = 15_000
    subscriptions: int = 100  # on one connection
    message_bytes: int = 8 * 1024


class Ended(Exception):
    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


class LiveConnections:
    def __init__(self, hub: Hub, reads: Reads, origins: Origins, limits: LiveLimits) -> None:
        self.hub = hub
        self._reads = reads
        self._origins = origins
        self.limits = limits
        self.sockets: dict[LiveSession, web.WebSocketResponse] = {}
        self._streams: dict[LiveSession, asyncio.Event] = {}
        self._closing = False

    @property
    def connections(self) -> int:
        return len(self.sockets) + len(self._streams)

    async def websocket(
        self, request: web.BaseRequest, principal: Principal | None, framing: Framing, receive: Receive
    ) -> web.StreamResponse:
        """One WebSocket, from upgrade to close. Raises Forbidden for a plain request and for a page of an origin that
        is not allowed."""
        if not self._origins.may_connect(request.headers.get("Origin"), request.headers.get("Host")):
            raise codes.ORIGIN_NOT_ALLOWED.error("pages of this origin may not connect; see the setting origins")
        socket = web.WebSocketResponse(
            compress=False, autoping=False, max_msg_size=self.limits.message_bytes, timeout=5.0, writer_limit=1 << 20
        )
        if not _asks_for(socket, request):
            raise codes.WEBSOCKET_ONLY.error("this address takes WebSocket connections")
        await socket.prepare(request)
        if self._closing or self.connections >= self.limits.connections:
            await _close(socket, close_codes.GOING_AWAY if self._closing else close_codes.TOO_MANY_CONNECTIONS)
            return socket
        connection = _connection(request, principal, framing)
        self.sockets[connection] = socket
        try:
            await _converse(connection, socket, receive)
        finally:
            self._forget(connection)
            del self.sockets[connection]
            _let_go(socket)
        return socket

    async def stream(
        self,
        request: web.BaseRequest,
        principal: Principal | None,
        framing: Framing,
        begin: Callable[[LiveSession], Awaitable[None]],
    ) -> web.StreamResponse:
        """One event stream, from its head to the end of the connection. `begin` joins it to what it shows. Raises
        Unavailable."""
        if self._closing or self.connections >= self.limits.connections:
            raise codes.TOO_MANY_CONNECTIONS.error("too many live connections; come back later", retry_after_s=5)
        connection = _connection(request, principal, framing)
        if request.method == "HEAD":
            connection.write(self._stream_head(request))
            return _Written()
        ended = self._streams[connection] = connection.ended = asyncio.Event()
        try:
            connection.write(self._stream_head(request))
            await begin(connection)
            await ended.wait()
        except ScoreboardError as error:  # the head was sent: the client gets the reason when it connects again
            log.debug("stream_ended", code=error.code)
        except Exception:
            log.exception("stream_failed")
        finally:
            self._forget(connection)
            del self._streams[connection]
        return _Written()

    def _stream_head(self, request: web.BaseRequest) -> bytes:
        origin = request.headers.get("Origin")
        allowed = None if origin is None else self._origins.header(origin)
        cors = f"Access-Control-Allow-Origin: {allowed}\r\nVary: Origin\r\n" if allowed else ""
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
            f"X-Accel-Buffering: no\r\nConnection: close\r\n{cors}\r\n"
        ).encode()

    async def join(self, connection: LiveSession, board: Board, key: ChannelKey) -> Channel:
        """Add the connection to a channel whose newest message is read, where it can be.

        Nothing is sent to the connection before the caller sends that message or sets its position. Raises Ended for
        one subscription too many, and NotFound if the board was deleted or made private in between."""
        if len(connection.channels) >= self.limits.subscriptions and all(c.key != key for c in connection.channels):
            raise Ended(close_codes.TOO_MANY_SUBSCRIPTIONS)
        channel = self.hub.subscribe(key, board, connection)
        channel.sessions[connection] = PENDING
        connection.channels.add(channel)
        try:
            for _ in range(WARMING_TRIES):
                if channel.current:
                    break
                before = channel.message
                try:
                    now = await self._reads.live_top(board, key.season, key.region)
                except NotRanked:
                    await asyncio.sleep(1)
                    continue
                if channel.message is before:  # else a newer one was published during the read
                    self.hub.refresh(channel, now)
                break
            if connection not in channel.sessions:
                raise codes.BOARD_NOT_FOUND.error("the board was deleted, or is no longer public")
        except BaseException:
            self.leave(connection, key)
            raise
        return channel

    def leave(self, connection: LiveSession, key: ChannelKey) -> None:
        for channel in [channel for channel in connection.channels if channel.key == key]:
            connection.channels.discard(channel)
            self.hub.unsubscribe(channel, connection)

    async def run(self) -> None:
        """For ever: ping the quiet, end the dead. A few at a time, as each ping brings an answer."""
        while True:
            everybody = [*self.sockets, *self._streams]
            starts = range(0, len(everybody) or 1, SLICE)
            for start in starts:
                some, now = everybody[start : start + SLICE], _now()
                flooding = [connection for connection in some if not self.check(connection, now)]
                await asyncio.gather(*(_close(self.sockets[one], close_codes.BAD_MESSAGE) for one in flooding))
                await asyncio.sleep(LOOK_EVERY_S / len(starts))

    def check(self, connection: LiveSession, now: float) -> bool:
        """Whether it stays: not when it said too much since the last look."""
        socket = self.sockets.get(connection)
        quiet_s = now - connection.last_heard
        if connection.stuck(now) or (socket is not None and quiet_s > SILENT_AFTER_S):
            connection.abort()  # its buffer may be full: a close frame would never arrive
        elif socket is None or quiet_s > PING_AFTER_S:
            connection.keep_alive()
        said, connection.messages = connection.messages, 0
        return said <= MAX_MESSAGES

    async def close(self) -> None:
        """Tell everybody to come back."""
        self._closing = True
        for ended in self._streams.values():
            ended.set()
        sockets = list(self.sockets.values())
        for start in range(0, len(sockets), CLOSED_AT_ONCE):
            some = sockets[start : start + CLOSED_AT_ONCE]
            await asyncio.gather(*(_close(socket, close_codes.GOING_AWAY) for socket in some))

    def _forget(self, connection: LiveSession) -> None:
        for channel in connection.channels:
            self.hub.unsubscribe(channel, connection)
        connection.channels.clear()


async def _converse(connection: LiveSession, socket: web.WebSocketResponse, receive: Receive) -> None:
    while True:
        message = await socket.receive()
        connection.last_heard = _now()
        connection.messages += 1
        if message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            try:
                await receive(connection, message.data)
            except Ended as ended:
                await _close(socket, ended.close)
                return
        elif message.type is not WSMsgType.PONG:
            if message.type is WSMsgType.BINARY:
                await _close(socket, close_codes.BAD_MESSAGE)
            return


def _asks_for(socket: web.WebSocketResponse, request: web.BaseRequest) -> bool:
    """Return whether the request is a WebSocket handshake; headers that are not ASCII make aiohttp raise ValueError."""
    try:
        return request.version == HttpVersion11 and bool(socket.can_prepare(request))
    except ValueError:
        return False


class _Written(web.StreamResponse):
    """The answer that was written already; nothing follows but the end of the connection."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool:
        return False


async def _close(socket: web.WebSocketResponse, close: Close) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        await socket.close(code=close.code, message=close.reason.encode())


def _let_go(socket: web.WebSocketResponse) -> None:
    """A socket that broke keeps the error, whose traceback leads back to it: each would stay in memory until the
    collector goes through everything, which it does once in days."""
    error = socket.exception()
    if error is not None:
        error.__traceback__ = error.__context__ = None


def _connection(request: web.BaseRequest, principal: Principal | None, framing: Framing) -> LiveSession:
    """The session over a request's transport, told by it how writing goes."""
    if request.transport is None:
        raise ConnectionResetError("the client went away")
    connection = LiveSession(request.transport, framing, _now())
    connection.principal = principal
    cast("ObservableTransport", request.protocol).write_listener = connection
    return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
