"""The live part: boards by WebSocket and Server-Sent Events, and the page that shows them."""

from collections.abc import Iterator
from functools import partial

from aiohttp import web

from scoreboard.application.live.feed_subscriber import FeedSubscriber
from scoreboard.application.ports.backend import Task
from scoreboard.application.upkeep.seasons import turn_seasons
from scoreboard.bootstrap.container import Container
from scoreboard.entrypoints.http.router import Endpoint, RequestContext
from scoreboard.entrypoints.pages.live_page import Pages
from scoreboard.entrypoints.sockets.live import Live


def routes(shared: Container) -> list[Endpoint]:
    return [*_stream_routes(shared.read_path.live), *Pages().routes()]


def tasks(shared: Container) -> Iterator[Task]:
    """Yield the upkeep of live connections, the turn of seasons, and the changes that other processes publish."""
    yield shared.read_path.live.run
    yield partial(turn_seasons, shared.read_path.publisher)
    if shared.ranking_backend.feed is not None:
        yield FeedSubscriber(shared.read_path.publisher, shared.ranking, shared.ranking_backend.feed).run


def _stream_routes(live: Live) -> list[Endpoint]:
    async def websocket(call: RequestContext) -> web.StreamResponse:
        return await live.websocket(call.request)

    async def stream(call: RequestContext) -> web.StreamResponse:
        return await live.stream(call.request, *call.path)

    return [
        Endpoint(
            "GET",
            "/v1/live",
            "openLive",
            "Live boards by WebSocket",
            websocket,
            "live",
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
            described=False,
            streams=True,
        ),
    ]
