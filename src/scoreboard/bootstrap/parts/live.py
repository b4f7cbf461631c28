"""The live part: boards over WebSocket and Server-Sent Events."""

from collections.abc import Iterator
from functools import partial

from scoreboard.application.live.feed_subscriber import FeedSubscriber
from scoreboard.application.ports.backend import Task
from scoreboard.bootstrap.container import Container
from scoreboard.concurrency.every import every
from scoreboard.entrypoints.contracts.v1.live.stream import TopStream
from scoreboard.entrypoints.contracts.v1.live.websocket import LiveSocket
from scoreboard.entrypoints.http.endpoint import Endpoint, routes


def live_routes(shared: Container) -> list[Endpoint]:
    live, reads = shared.read_path.live, shared.read_path.reads
    socket = LiveSocket(live, reads, shared.directory, shared.authenticators)
    return routes(socket, TopStream(live, reads))


def tasks(shared: Container) -> Iterator[Task]:
    """Yield the upkeep of live connections, season rollover and the shared feed."""
    yield shared.read_path.live.run
    timings, publisher = shared.timings, shared.read_path.publisher
    yield partial(every, timings.seasons_s, publisher.turn_seasons, "seasons")
    if shared.ranking_backend.feed is not None:
        subscriber = FeedSubscriber(publisher, shared.ranking, shared.ranking_backend.feed, timings.feed_s)
        yield partial(every, 0.0, subscriber.follow, "feed")
