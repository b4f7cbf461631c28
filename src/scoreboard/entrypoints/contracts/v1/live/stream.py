"""TopStream: one table as Server-Sent Events (the HTML standard, 9.2)."""

from urllib.parse import parse_qs

from aiohttp import web

from scoreboard.application.live.hub import TopMessage
from scoreboard.application.ports.ranking import Position
from scoreboard.application.standings.reads import Reads
from scoreboard.entrypoints.contracts.v1.live.tables import channel_key
from scoreboard.entrypoints.contracts.v1.live.top import encode_top
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.sockets.connections import LiveConnections
from scoreboard.entrypoints.sockets.sessions import Framing, LiveSession


def _frame(message: TopMessage) -> tuple[bytes, bytes]:
    epoch, offset = message.position
    head = b"event: top\nid: %b:%d\ndata: " % (epoch.encode(), offset)
    alone, with_changes = encode_top(message)
    return head + alone + b"\n\n", head + with_changes + b"\n\n"


FRAMING = Framing("v1-sse", _frame, b": still here\n\n")


class TopStream:
    def __init__(self, live: LiveConnections, reads: Reads) -> None:
        self._live = live
        self._reads = reads

    @endpoint(
        "GET",
        "/v1/apps/{app}/boards/{board}/stream",
        name="streamTop",
        tag="live",
        policy="read_standings",
        described=False,
    )
    async def open(self, context: RequestContext) -> web.StreamResponse:
        """Watch one table as Server-Sent Events."""
        query = {name: values[-1] for name, values in parse_qs(context.query_text).items()}
        app, board_id = context.path
        season = query.get("season")
        board, table = await self._reads.open(context.principal, app, board_id, season, query.get("region"))

        async def begin(connection: LiveSession) -> None:
            connection.write(b"retry: 2000\n\n")
            channel = await self._live.join(connection, board, channel_key(table, season))
            if channel.message is None:
                channel.sessions[connection] = None  # the first top N is sent once it can be read
                return
            if _position(context.header("Last-Event-ID")) == channel.message.position:
                channel.sessions[connection] = channel.message.position
                connection.write(b": nothing new\n\n")
            else:
                connection.send_text(channel, channel.message, None)

        return await self._live.stream(context.request, context.principal, FRAMING, begin)


def _position(text: str | None) -> Position | None:
    epoch, _, offset = (text or "").rpartition(":")
    return Position(epoch, int(offset)) if offset.isdecimal() and len(offset) < 20 else None
