"""The service itself: health, metrics, the live page."""

from collections.abc import Callable
from importlib.resources import files
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from scoreboard.application.ports.directory import Directory
from scoreboard.domain.errors import NotFound, Unavailable
from scoreboard.entrypoints.http.operations import Call, Operation
from scoreboard.entrypoints.http.reply import Reply

POLICY = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    b"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
)
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


class Health(msgspec.Struct):
    status: Literal["live", "ready"]


class PageBoard(msgspec.Struct):
    """The board that the page shows when its address names none; null when there is none."""

    app: str | None
    board: str | None


class Service:
    def __init__(self, directory: Directory, ready: Callable[[], bool], registry: CollectorRegistry) -> None:
        self._directory = directory
        self._ready = ready
        self._registry = registry
        page = files(__package__) / "page"
        self._files = {
            entry.name: (entry.read_bytes(), TYPES[entry.name.rpartition(".")[2]])
            for entry in page.iterdir()
            if entry.name.rpartition(".")[2] in TYPES
        }

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "GET",
                "/health/live",
                "isLive",
                "Whether the process runs",
                self.live,
                "service",
                replies={200: Health},
                secured=False,
            ),
            Operation(
                "GET",
                "/health/ready",
                "isReady",
                "Whether it can take requests",
                self.ready,
                "service",
                replies={200: Health},
                errors=("not_ready",),
                secured=False,
            ),
            Operation(
                "GET",
                "/metrics",
                "getMetrics",
                "Metrics for Prometheus",
                self.metrics,
                "service",
                replies={200: "text/plain"},
                secured=False,
            ),
            Operation(
                "GET",
                "/v1/page",
                "getPageBoard",
                "The board the page shows",
                self.page_board,
                "service",
                replies={200: PageBoard},
                secured=False,
            ),
            Operation("GET", "/", "getPage", "The live page", self.page, "service", described=False),
            Operation(
                "GET",
                "/page/{file}",
                "getPageFile",
                "A file of the live page",
                self.page_file,
                "service",
                described=False,
            ),
        ]

    async def live(self, _: Call) -> web.StreamResponse:
        """Answers for as long as the process runs. For a supervisor that restarts what hangs."""
        return Reply(200, msgspec.json.encode(Health("live")), b"Cache-Control: no-store\r\n")

    async def ready(self, _: Call) -> web.StreamResponse:
        """Answers 200 when the rankings are loaded, 503 until then. For a balancer that decides where requests go."""
        if not self._ready():
            raise Unavailable("not_ready", "the rankings are being loaded", retry_after_s=1)
        return Reply(200, msgspec.json.encode(Health("ready")), b"Cache-Control: no-store\r\n")

    async def metrics(self, _: Call) -> web.StreamResponse:
        """Counters, gauges and latencies in the text format of Prometheus. Keep it from the public at your proxy."""
        return Reply(200, generate_latest(self._registry), b"Cache-Control: no-store\r\n", CONTENT_TYPE_PLAIN_0_0_4)

    async def page_board(self, _: Call) -> web.StreamResponse:
        """The first public board, which the live page shows when its address names none; nulls where there is none."""
        shown = PageBoard(None, None)
        for app in await self._directory.apps():
            public = [board for board in await self._directory.boards(app) if board.public]
            if public:
                shown = PageBoard(app.app, public[0].board)
                break
        return Reply(200, msgspec.json.encode(shown), b"Cache-Control: no-store\r\n")

    async def page(self, _: Call) -> web.StreamResponse:
        return self._file("index.html")

    async def page_file(self, call: Call) -> web.StreamResponse:
        return self._file(call.path[0])

    def _file(self, name: str) -> Reply:
        if name not in self._files:
            raise NotFound("file_not_found", "the page has no such file")
        body, media_type = self._files[name]
        return Reply(200, body, POLICY + b"Cache-Control: no-cache\r\n", media_type)
