"""The service itself: health and metrics."""

from collections.abc import Callable
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from scoreboard.domain import codes
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response


class Health(msgspec.Struct):
    status: Literal["live", "ready"]


class ServiceRoutes:
    def __init__(self, ready: Callable[[], bool], registry: CollectorRegistry) -> None:
        self._ready = ready
        self._registry = registry

    def routes(self) -> list[Endpoint]:
        return [
            Endpoint(
                "GET",
                "/health/live",
                "isLive",
                "Whether the process runs",
                self.live,
                "service",
                "use_service",
                replies={200: Health},
            ),
            Endpoint(
                "GET",
                "/health/ready",
                "isReady",
                "Whether it can take requests",
                self.ready,
                "service",
                "use_service",
                replies={200: Health},
                errors=("not_ready",),
            ),
            Endpoint(
                "GET",
                "/metrics",
                "getMetrics",
                "Metrics for Prometheus",
                self.metrics,
                "service",
                "use_service",
                replies={200: "text/plain"},
            ),
        ]

    async def live(self, _: RequestContext) -> web.StreamResponse:
        """Answers for as long as the process runs. For a supervisor that restarts what hangs."""
        return Response(200, msgspec.json.encode(Health("live")), b"Cache-Control: no-store\r\n")

    async def ready(self, _: RequestContext) -> web.StreamResponse:
        """Answers 200 when the rankings are loaded, 503 until then. For a balancer that decides where requests go."""
        if not self._ready():
            raise codes.NOT_READY.error("the rankings are being loaded", retry_after_s=1)
        return Response(200, msgspec.json.encode(Health("ready")), b"Cache-Control: no-store\r\n")

    async def metrics(self, _: RequestContext) -> web.StreamResponse:
        """Counters, gauges and latencies in the text format of Prometheus. Keep it from the public at your proxy."""
        return Response(200, generate_latest(self._registry), b"Cache-Control: no-store\r\n", CONTENT_TYPE_PLAIN_0_0_4)
