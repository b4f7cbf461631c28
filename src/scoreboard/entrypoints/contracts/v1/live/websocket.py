"""LiveSocket: the protocol of the WebSocket at `/v1/live`."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from scoreboard.application.identity.authentication import authenticate
from scoreboard.application.live import close_codes
from scoreboard.application.live.hub import Channel, ChannelKey, TopMessage
from scoreboard.application.ports.authentication import Authenticator
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ranking import Position
from scoreboard.application.standings.reads import Reads
from scoreboard.domain import codes
from scoreboard.domain.errors import ScoreboardError, Unauthenticated
from scoreboard.entrypoints.contracts.v1.live import messages
from scoreboard.entrypoints.contracts.v1.live.tables import channel_key
from scoreboard.entrypoints.contracts.v1.live.top import encode_top
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.sockets.connections import Ended, LiveConnections
from scoreboard.entrypoints.sockets.sessions import PING, Framing, LiveSession, ws_frame


def _subscription_ended(channel: Channel) -> bytes:
    board, (_, season, region) = channel.board, channel.key
    error = codes.SUBSCRIPTION_ENDED.error("the board was deleted or made private")
    message = messages.Error(error.code, error.detail, board.app.slug, board.slug, region or None, season)
    return ws_frame(messages.encode(message))


def _frame(message: TopMessage) -> tuple[bytes, bytes]:
    alone, with_changes = encode_top(message)
    return ws_frame(alone), ws_frame(with_changes)


FRAMING = Framing("v1-ws", _frame, PING, _subscription_ended)


class LiveSocket:
    def __init__(
        self, live: LiveConnections, reads: Reads, directory: Directory, authenticators: Sequence[Authenticator]
    ) -> None:
        self._live = live
        self._reads = reads
        self._directory = directory
        self._authenticators = authenticators

    @endpoint("GET", "/v1/live", name="openLive", tag="live", policy="read_standings", described=False)
    async def open(self, context: RequestContext) -> web.StreamResponse:
        """Watch any number of tables over a WebSocket."""
        return await self._live.websocket(context.request, context.principal, FRAMING, self._receive)

    async def _receive(self, connection: LiveSession, text: str) -> None:
        request = _decode(text)
        match request:
            case messages.Ping():
                _send(connection, messages.Pong())
            case messages.Authenticate():
                try:
                    connection.principal = await authenticate(self._authenticators, request.token)
                except Unauthenticated as error:
                    raise Ended(close_codes.UNAUTHORIZED) from error
                _send(connection, messages.Authenticated())
            case messages.Subscribe():
                try:
                    await self._subscribe(connection, request)
                except ScoreboardError as error:
                    _send(connection, _error(request, error))
            case messages.Unsubscribe():
                try:
                    key = await self._channel_key(request)
                except ScoreboardError as error:
                    _send(connection, _error(request, error))
                else:
                    self._live.leave(connection, key)
                    _send(connection, messages.Unsubscribed(request.app, request.board, request.region, request.season))

    async def _subscribe(self, connection: LiveSession, request: messages.Subscribe) -> None:
        board, table = await self._reads.open(
            connection.principal, request.app, request.board, request.season, request.region
        )
        channel = await self._live.join(connection, board, channel_key(table, request.season))
        message = channel.message
        if message is None:
            raise codes.RANKING_WARMING.error("the ranking is being loaded; subscribe again in a second")
        known = None if request.position is None else Position(request.position.epoch, request.position.offset)
        recovered = known == message.position
        _send(
            connection,
            messages.Subscribed(
                request.app, request.board, request.region, request.season, recovered, *message.position
            ),
        )
        if recovered:
            channel.sessions[connection] = message.position
        else:
            connection.send_text(channel, message, None)

    async def _channel_key(self, request: messages.Unsubscribe) -> ChannelKey:
        # Without authorization: a client may stop watching even if it has lost the permission to read.
        board = await self._directory.board(request.app, request.board)
        return channel_key(self._reads.table(board, request.season, request.region), request.season)


def _decode(text: str) -> messages.Request:
    try:
        request: messages.Request = messages.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Ended(close_codes.BAD_MESSAGE) from error
    return request


def _send(connection: LiveSession, message: msgspec.Struct) -> None:
    connection.write(ws_frame(messages.encode(message)))


def _error(request: messages.Subscribe | messages.Unsubscribe, error: ScoreboardError) -> messages.Error:
    return messages.Error(error.code, error.detail, request.app, request.board, request.region, request.season)
