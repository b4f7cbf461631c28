"""The service: health and metrics."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from scoreboard.domain import codes
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import UNCACHED, json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

_endpoint = partial(endpoint, "GET", tag="service", policy="use_service")


class Health(msgspec.Struct):
    status: Literal["live", "ready"]


class ServiceRoutes:
    def __init__(self, ready: Callable[[], bool], registry: CollectorRegistry) -> None:
        self._ready = ready
        self._registry = registry

    @_endpoint("/health/live", name="isLive", responses={200: Health})
    async def live(self, _: RequestContext) -> Response:
        """Check that the process is running.

        The response is 200 while the process runs. A supervisor can use it to restart hanging
        processes.
        """
        return json_response(Health("live"))

    @_endpoint("/health/ready", name="isReady", responses={200: Health}, errors=[codes.NOT_READY])
    async def ready(self, _: RequestContext) -> Response:
        """Check that the server can handle requests.

        The response is 503 until the rankings are loaded, then 200. For a load balancer.
        """
        if not self._ready():
            raise codes.NOT_READY.error("the rankings are being loaded; retry in a second", retry_after_s=1)
        return json_response(Health("ready"))

    @_endpoint("/metrics", name="getMetrics", responses={200: "text/plain"})
    async def metrics(self, _: RequestContext) -> Response:
        """Get metrics for Prometheus.

        The response has counters, gauges and durations in the text format of Prometheus. Block public access to this
        address at your proxy.
        """
        return Response(200, generate_latest(self._registry), UNCACHED, CONTENT_TYPE_PLAIN_0_0_4)
