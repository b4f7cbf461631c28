"""The live endpoints: a WebSocket for any number of tables, and Server-Sent Events for one."""

from scoreboard.entrypoints.contracts.v1.live.stream import TopStream
from scoreboard.entrypoints.contracts.v1.live.websocket import LiveSocket
from scoreboard.entrypoints.http.endpoint import Endpoint


def live_routes(socket: LiveSocket, stream: TopStream) -> list[Endpoint]:
    """They write their answers themselves; AsyncAPI describes them."""
    board = "/v1/apps/{app}/boards/{board}"
    return [
        Endpoint(method, path, name, summary, handler, "live", "read_standings", described=False, streams=True)
        for method, path, name, summary, handler in (
            ("GET", "/v1/live", "openLive", "Live boards by WebSocket", socket.open),
            ("GET", f"{board}/stream", "streamTop", "Live board by SSE", stream.open),
        )
    ]
