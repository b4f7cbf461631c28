"""The live part: boards by WebSocket and Server-Sent Events."""

from collections.abc import Iterator
from functools import partial

from scoreboard.application.live.feed_subscriber import FeedSubscriber
from scoreboard.application.ports.backend import Task
from scoreboard.application.upkeep.seasons import turn_seasons
from scoreboard.bootstrap.container import Container
from scoreboard.entrypoints.contracts.v1.live.stream import TopStream
from scoreboard.entrypoints.contracts.v1.live.websocket import LiveSocket
from scoreboard.entrypoints.http.endpoint import Endpoint, routes


def live_routes(shared: Container) -> list[Endpoint]:
    live, reads = shared.read_path.live, shared.read_path.reads
    socket = LiveSocket(live, reads, shared.directory, shared.authenticators)
    return routes(socket, TopStream(live, reads))


def tasks(shared: Container) -> Iterator[Task]:
    """Yield the upkeep of live connections, the turn of seasons, and the changes that other processes publish."""
    yield shared.read_path.live.run
    yield partial(turn_seasons, shared.read_path.publisher)
    if shared.ranking_backend.feed is not None:
        yield FeedSubscriber(shared.read_path.publisher, shared.ranking, shared.ranking_backend.feed).run
