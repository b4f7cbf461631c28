"""The live endpoints: a WebSocket for any number of tables, and Server-Sent Events for one."""

from aiohttp import web

from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.sockets.live import Live


def live_routes(live: Live) -> list[Endpoint]:
    async def websocket(call: RequestContext) -> web.StreamResponse:
        return await live.websocket(call.request, call.principal)

    async def stream(call: RequestContext) -> web.StreamResponse:
        return await live.stream(call.request, call.principal, *call.path)

    return [
        Endpoint(
            "GET",
            "/v1/live",
            "openLive",
            "Live boards by WebSocket",
            websocket,
            "live",
            "read_standings",
            described=False,
            streams=True,
        ),
        Endpoint(
            "GET",
            "/v1/apps/{app}/boards/{board}/stream",
            "streamTop",
            "Live board by SSE",
            stream,
            "live",
            "read_standings",
            described=False,
            streams=True,
        ),
    ]
