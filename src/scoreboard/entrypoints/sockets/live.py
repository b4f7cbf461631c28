"""Live: the doors at which pages subscribe."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs

import msgspec
import structlog
from aiohttp import HttpVersion11, WSMessage, WSMsgType, web
from aiohttp.log import ws_logger

from scoreboard.application.identity import authorization as authenticate
from scoreboard.application.live import codes
from scoreboard.application.live.codes import Close
from scoreboard.application.live.flow import Flowing
from scoreboard.application.live.hub import JOINING, Channel, ChannelKey, Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.ports.authentication import Access, Credential
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ranking import NotRanked, Position
from scoreboard.application.standings.reads import Reads
from scoreboard.domain.errors import Forbidden, ScoreboardError, Unauthenticated, Unavailable
from scoreboard.domain.submission import WORLD
from scoreboard.entrypoints.sockets import messages
from scoreboard.entrypoints.sockets.sessions import EVENTS, PING, WEBSOCKET, Connection, Framing, ws_frame

log = structlog.get_logger(__name__)
ws_logger.setLevel(logging.ERROR)  # its warnings repeat what clients send: a line each for an unknown subprotocol

LOOK_EVERY_S = 5.0
PING_AFTER_S = 25.0  # of silence
SILENT_AFTER_S = 60.0
MAX_MESSAGES = 200  # from one client between two looks
WARMING_TRIES = 60
SLICE = 100  # connections that are looked at in one go
CLOSED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LiveLimits:
    connections: int = 15_000
    subscriptions: int = 100  # on one connection
    message_bytes: int = 8 * 1024


class Live:
    def __init__(
        self, hub: Hub, reads: Reads, directory: Directory, access: Access, origins: Origins, limits: LiveLimits
    ) -> None:
        self._hub = hub
        self._reads = reads
        self._directory = directory
        self._access = access
        self._origins = origins
        self._limits = limits
        self._sockets: dict[Connection, web.WebSocketResponse] = {}
        self._streams: dict[Connection, asyncio.Event] = {}
        self._closing = False

    @property
    def connections(self) -> int:
        return len(self._sockets) + len(self._streams)

    # WebSocket

    async def websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        """One WebSocket, from upgrade to close."""
        if not self._origins.may_connect(request.headers.get("Origin"), request.headers.get("Host")):
            raise Forbidden("origin_not_allowed", "pages of this origin may not connect; see the setting origins")
        credential = self._credential(request)
        socket = web.WebSocketResponse(
            compress=False, autoping=False, max_msg_size=self._limits.message_bytes, timeout=5.0, writer_limit=1 << 20
        )
        if not _asks_for(socket, request):
            raise Forbidden("websocket_only", "this address takes WebSocket connections")
        await socket.prepare(request)
        if self._closing or self.connections >= self._limits.connections:
            await _close(socket, codes.GOING_AWAY if self._closing else codes.TOO_MANY_CONNECTIONS)
            return socket
        connection = _connection(request, WEBSOCKET)
        connection.credential = credential
        self._sockets[connection] = socket
        try:
            await self._converse(connection, socket)
        finally:
            self._forget(connection)
            del self._sockets[connection]
            _let_go(socket)
        return socket

    async def _converse(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        while True:
            message = await socket.receive()
            connection.last_heard = _now()
            connection.messages += 1
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                try:
                    await self._request(connection, _decoded(message))
                except _Ended as ended:
                    await _close(socket, ended.close)
                    return
            elif message.type is not WSMsgType.PONG:
                if message.type is WSMsgType.BINARY:
                    await _close(socket, codes.BAD_MESSAGE)
                return

    async def _request(self, connection: Connection, request: messages.Request) -> None:
        match request:
            case messages.Ping():
                _say(connection, messages.Pong())
            case messages.Authenticate():
                try:
                    connection.credential = self._access.verify(request.token)
                except Unauthenticated as error:
                    raise _Ended(codes.UNAUTHORIZED) from error
                _say(connection, messages.Authenticated())
            case messages.Subscribe():
                try:
                    await self._subscribe(connection, request)
                except ScoreboardError as error:
                    _say(connection, _error(request, error))
            case messages.Unsubscribe():
                try:
                    key = await self._key(request, None, check=False)
                except ScoreboardError as error:
                    _say(connection, _error(request, error))
                else:
                    self._unsubscribe(connection, key)
                    _say(connection, messages.Unsubscribed(request.app, request.board, request.region, request.season))

    async def _subscribe(self, connection: Connection, request: messages.Subscribe) -> None:
        key = await self._key(request, connection.credential)
        if len(connection.channels) >= self._limits.subscriptions and all(c.key != key for c in connection.channels):
            raise _Ended(codes.TOO_MANY_SUBSCRIPTIONS)
        channel = await self._joined(connection, key, request.app, request.board)
        message = channel.message
        if message is None:
            raise Unavailable("ranking_warming", "the ranking is warming; subscribe again in a moment")
        had = None if request.position is None else Position(request.position.epoch, request.position.offset)
        recovered = had == message.position
        _say(
            connection,
            messages.Subscribed(
                request.app, request.board, request.region, request.season, recovered, *message.position
            ),
        )
        if recovered:
            channel.sessions[connection] = message.position
        else:
            connection.send(channel, message, None)

    async def _joined(self, connection: Connection, key: ChannelKey, app: str, board_id: str) -> Channel:
        """The channel, with the connection in it and its newest message read."""
        board = await self._directory.board(app, board_id)
        first = self._hub.channel(key) is None
        channel = self._hub.subscribe(key, board, connection)
        channel.sessions[connection] = JOINING
        connection.channels.add(channel)
        try:
            for _ in range(WARMING_TRIES):
                if channel.message is not None and not first:
                    break
                try:
                    now = await self._reads.live_top(board, key.season, key.region)
                except NotRanked:
                    await asyncio.sleep(1)
                    continue
                # Others may have been sent a newer one meanwhile; only a channel of our own is brought up to date.
                if channel.message is None or (first and len(channel.sessions) == 1):
                    self._hub.refresh(channel, now)
                break
        except BaseException:
            self._unsubscribe(connection, key)
            raise
        return channel

    def _unsubscribe(self, connection: Connection, key: ChannelKey) -> None:
        for channel in [channel for channel in connection.channels if channel.key == key]:
            connection.channels.discard(channel)
            self._hub.unsubscribe(channel, connection)

    async def _key(
        self, request: messages.Subscribe | messages.Unsubscribe, credential: Credential | None, *, check: bool = True
    ) -> ChannelKey:
        board = await self._directory.board(request.app, request.board)
        if check:
            authenticate.require_read(credential, board)
        table = self._reads.table(board, request.season, request.region)
        current = request.season in {None, "current"}
        return ChannelKey(board.number, None if current else table.season, table.region or WORLD)

    # Server-Sent Events

    async def stream(self, request: web.BaseRequest, app: str, board: str) -> web.StreamResponse:
        """The messages of one table as Server-Sent Events (the HTML standard, 9.2)."""
        query = {name: values[-1] for name, values in parse_qs(request.query_string).items()}
        wanted = messages.Subscribe(app, board, query.get("region"), query.get("season"))
        credential = self._credential(request)
        key = await self._key(wanted, credential)
        if self._closing or self.connections >= self._limits.connections:
            raise Unavailable("too_many_connections", "too many live connections; come back later", retry_after_s=5)
        connection = _connection(request, EVENTS)
        if request.method == "HEAD":
            connection.write(self._stream_head(request))
            return _Written()
        connection.credential = credential
        ended = self._streams[connection] = connection.ended = asyncio.Event()
        try:
            connection.write(self._stream_head(request) + b"retry: 2000\n\n")
            channel = await self._joined(connection, key, app, board)
            if channel.message is not None:
                if _position(request.headers.get("Last-Event-ID")) == channel.message.position:
                    channel.sessions[connection] = channel.message.position
                    connection.write(b": nothing new\n\n")
                else:
                    connection.send(channel, channel.message, None)
            await ended.wait()
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

    # Upkeep

    async def run(self) -> None:
        """For ever: ping the quiet, end the dead. A few at a time, as each ping brings an answer."""
        while True:
            everybody = [*self._sockets, *self._streams]
            starts = range(0, len(everybody) or 1, SLICE)
            for start in starts:
                some, now = everybody[start : start + SLICE], _now()
                flooding = [connection for connection in some if not self._look_at(connection, now)]
                await asyncio.gather(*(_close(self._sockets[one], codes.BAD_MESSAGE) for one in flooding))
                await asyncio.sleep(LOOK_EVERY_S / len(starts))

    def _look_at(self, connection: Connection, now: float) -> bool:
        """Whether it stays: not when it said too much since the last look."""
        socket = self._sockets.get(connection)
        quiet_s = now - connection.last_heard
        if connection.stuck(now) or (socket is not None and quiet_s > SILENT_AFTER_S):
            connection.abort()  # its buffer may be full: a close frame would never arrive
        elif socket is None:
            connection.write(b": still here\n\n")
        elif quiet_s > PING_AFTER_S:
            connection.write(PING)
        said, connection.messages = connection.messages, 0
        return said <= MAX_MESSAGES

    async def close(self) -> None:
        """Tell everybody to come back."""
        self._closing = True
        for ended in self._streams.values():
            ended.set()
        sockets = list(self._sockets.values())
        for start in range(0, len(sockets), CLOSED_AT_ONCE):
            some = sockets[start : start + CLOSED_AT_ONCE]
            await asyncio.gather(*(_close(socket, codes.GOING_AWAY) for socket in some))

    def _forget(self, connection: Connection) -> None:
        for channel in connection.channels:
            self._hub.unsubscribe(channel, connection)
        connection.channels.clear()

    def _credential(self, request: web.BaseRequest) -> Credential | None:
        """From the header, or from the query for browsers, which cannot set headers here."""
        header = request.headers.get("Authorization", "")
        token = header[7:] if header[:7].lower() == "bearer " else request.query.get("token")
        return None if token is None else self._access.verify(token)


class _Ended(Exception):
    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


class _Written(web.StreamResponse):
    """The answer that was written already; nothing follows but the end of the connection."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool:
        return False


def _asks_for(socket: web.WebSocketResponse, request: web.BaseRequest) -> bool:
    """Return whether the request is a WebSocket handshake; headers that are not ASCII make aiohttp raise ValueError."""
    try:
        return request.version == HttpVersion11 and bool(socket.can_prepare(request))
    except ValueError:
        return False


def _decoded(message: WSMessage) -> messages.Request:
    try:
        request: messages.Request = messages.decode(message.data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _Ended(codes.BAD_MESSAGE) from error
    return request


def _say(connection: Connection, message: msgspec.Struct) -> None:
    connection.write(ws_frame(messages.encode(message)))


def _error(request: messages.Subscribe | messages.Unsubscribe, error: ScoreboardError) -> messages.Error:
    return messages.Error(error.code, error.detail, request.app, request.board, request.region, request.season)


async def _close(socket: web.WebSocketResponse, close: Close) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        await socket.close(code=close.code, message=close.reason.encode())


def _let_go(socket: web.WebSocketResponse) -> None:
    """A socket that broke keeps the error, whose traceback leads back to it: each would stay in memory until the
    collector goes through everything, which it does once in days."""
    error = socket.exception()
    if error is not None:
        error.__traceback__ = error.__context__ = None


def _position(text: str | None) -> Position | None:
    epoch, _, offset = (text or "").rpartition(":")
    return Position(epoch, int(offset)) if offset.isdecimal() and len(offset) < 20 else None


def _connection(request: web.BaseRequest, framing: Framing) -> Connection:
    """The session over a request's transport, told by it how writing goes."""
    if request.transport is None:
        raise ConnectionResetError("the client went away")
    connection = Connection(request.transport, framing, _now())
    cast("Flowing", request.protocol).flow = connection
    return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
