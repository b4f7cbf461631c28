"""The open WebSockets and event streams of a process."""

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
ws_logger.setLevel(logging.ERROR)  # a client could cause a warning for each handshake

CLOSE_BATCH = 500  # connections that are closed concurrently at a stop

Receive: TypeAlias = Callable[[LiveSession, str], Awaitable[None]]
"""Handle one text message of a client. Raises Ended to close the connection."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """Limits of live connections, and the periods of their checks."""

    connections: int = 15_000
    subscriptions: int = 100  # on one connection
    message_bytes: int = 8 * 1024
    messages: int = 200  # from one client between two checks
    check_every_s: float = 5.0
    check_batch: int = 100  # connections that are checked without a pause
    ping_after_s: float = 25.0  # without a message
    silent_after_s: float = 60.0
    warming_tries: int = 60  # seconds that a subscription waits for a ranking


class Ended(Exception):
    """Signal that the server closes the connection."""

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
        """Serve a WebSocket. Raises Forbidden for a wrong handshake or origin."""
        if not self._origins.may_connect(request.headers.get("Origin"), request.headers.get("Host")):
            raise codes.ORIGIN_NOT_ALLOWED.error(
                "the server does not allow this origin; its operator can add it to SCOREBOARD_ORIGINS"
            )
        socket = web.WebSocketResponse(
            compress=False, autoping=False, max_msg_size=self.limits.message_bytes, timeout=5.0, writer_limit=1 << 20
        )
        if not _is_handshake(socket, request):
            raise codes.WEBSOCKET_ONLY.error("this address accepts only WebSocket connections")
        await socket.prepare(request)
        if self._closing or self.connections >= self.limits.connections:
            await _close(socket, close_codes.GOING_AWAY if self._closing else close_codes.TOO_MANY_CONNECTIONS)
            return socket
        connection = _open_session(request, principal, framing)
        self.sockets[connection] = socket
        try:
            await _receive_messages(connection, socket, receive)
        finally:
            self._unsubscribe_all(connection)
            del self.sockets[connection]
            # A broken socket keeps its error, whose traceback refers back to the socket. Without this, each would stay
            # in memory until a full garbage collection, which may take days.
            if error := socket.exception():
                error.__traceback__ = error.__context__ = None
        return socket

    async def stream(
        self,
        request: web.BaseRequest,
        principal: Principal | None,
        framing: Framing,
        begin: Callable[[LiveSession], Awaitable[None]],
    ) -> web.StreamResponse:
        """Serve an event stream, which `begin` subscribes. Raises Unavailable."""
        if self._closing or self.connections >= self.limits.connections:
            raise codes.TOO_MANY_CONNECTIONS.error("too many live connections; try again later", retry_after_s=5)
        connection = _open_session(request, principal, framing)
        if request.method == "HEAD":
            connection.write(self._stream_head(request))
            return _SentResponse()
        ended = self._streams[connection] = connection.ended = asyncio.Event()
        try:
            connection.write(self._stream_head(request))
            await begin(connection)
            await ended.wait()
        except ScoreboardError as error:  # the head is sent, so the client gets the reason when it reconnects
            log.debug("stream_ended", code=error.code)
        except Exception:
            log.exception("stream_failed")
        finally:
            self._unsubscribe_all(connection)
            del self._streams[connection]
        return _SentResponse()

    def _stream_head(self, request: web.BaseRequest) -> bytes:
        origin = request.headers.get("Origin")
        allowed = None if origin is None else self._origins.header(origin)
        cors = f"Access-Control-Allow-Origin: {allowed}\r\nVary: Origin\r\n" if allowed else ""
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
            f"X-Accel-Buffering: no\r\nConnection: close\r\n{cors}\r\n"
        ).encode()

    async def join(self, connection: LiveSession, board: Board, key: ChannelKey) -> Channel:
        """Subscribe the connection to a channel, and read its newest message if possible.

        Nothing is sent to the connection until the caller sends that message or sets its position. Raises Ended for
        too many subscriptions, and NotFound if the board was deleted or made private during the read.
        """
        if len(connection.channels) >= self.limits.subscriptions and all(c.key != key for c in connection.channels):
            raise Ended(close_codes.TOO_MANY_SUBSCRIPTIONS)
        channel = self.hub.subscribe(key, board, connection)
        channel.sessions[connection] = PENDING
        connection.channels.add(channel)
        try:
            for _ in range(self.limits.warming_tries):
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
                raise codes.BOARD_NOT_FOUND.error("the board was deleted or made private")
        except BaseException:
            self.leave(connection, key)
            raise
        return channel

    def leave(self, connection: LiveSession, key: ChannelKey) -> None:
        for channel in [channel for channel in connection.channels if channel.key == key]:
            connection.channels.discard(channel)
            self.hub.unsubscribe(channel, connection)

    async def run(self) -> None:
        """Check all connections periodically, spread over the period, until cancelled."""
        while True:
            connections = [*self.sockets, *self._streams]
            starts = range(0, len(connections) or 1, self.limits.check_batch)
            for start in starts:
                batch, now = connections[start : start + self.limits.check_batch], _now()
                flooding = [connection for connection in batch if not self.check(connection, now)]
                await asyncio.gather(*(_close(self.sockets[one], close_codes.BAD_MESSAGE) for one in flooding))
                await asyncio.sleep(self.limits.check_every_s / len(starts))

    def check(self, connection: LiveSession, now: float) -> bool:
        """Ping a quiet connection, abort a dead one, and return False for a flooding one."""
        socket = self.sockets.get(connection)
        quiet_s = now - connection.last_received
        if connection.is_stuck(now) or (socket is not None and quiet_s > self.limits.silent_after_s):
            connection.abort()  # a close frame would not arrive if the buffer is full
        elif socket is None or quiet_s > self.limits.ping_after_s:
            connection.keep_alive()
        received, connection.messages = connection.messages, 0
        return received <= self.limits.messages

    async def close(self) -> None:
        """Close all connections with a code that lets the clients reconnect."""
        self._closing = True
        for ended in self._streams.values():
            ended.set()
        sockets = list(self.sockets.values())
        for start in range(0, len(sockets), CLOSE_BATCH):
            batch = sockets[start : start + CLOSE_BATCH]
            await asyncio.gather(*(_close(socket, close_codes.GOING_AWAY) for socket in batch))

    def _unsubscribe_all(self, connection: LiveSession) -> None:
        for channel in connection.channels:
            self.hub.unsubscribe(channel, connection)
        connection.channels.clear()


async def _receive_messages(connection: LiveSession, socket: web.WebSocketResponse, receive: Receive) -> None:
    while True:
        message = await socket.receive()
        connection.last_received = _now()
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


def _is_handshake(socket: web.WebSocketResponse, request: web.BaseRequest) -> bool:
    try:
        return request.version == HttpVersion11 and bool(socket.can_prepare(request))
    except ValueError:  # raised by aiohttp for headers that are not ASCII
        return False


class _SentResponse(web.StreamResponse):
    """A response that was already written; only the end of the connection follows."""

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


def _open_session(request: web.BaseRequest, principal: Principal | None, framing: Framing) -> LiveSession:
    """Create a session that listens to the request's transport."""
    if request.transport is None:
        raise ConnectionResetError("the client disconnected")
    connection = LiveSession(request.transport, framing, _now())
    connection.principal = principal
    cast("ObservableTransport", request.protocol).write_listener = connection
    return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
