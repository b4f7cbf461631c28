"""The metrics of `/metrics`, except those of requests."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scoreboard.application.live.hub import Hub
from scoreboard.application.updates.commit import GroupCommit
from scoreboard.application.upkeep.event_delivery import EventDelivery
from scoreboard.application.upkeep.probe import Probe
from scoreboard.entrypoints.sockets.connections import LiveConnections


def gauge(registry: CollectorRegistry, name: str, text: str, value: Callable[[], float]) -> None:
    Gauge(name, text, registry=registry).set_function(value)


def register_process(registry: CollectorRegistry, commit: GroupCommit, live: LiveConnections, hub: Hub) -> None:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Batches(commit))
    for name, text, value in (
        ("scoreboard_pending_updates", "Updates that wait for their transaction or are in it.", lambda: commit.pending),
        ("scoreboard_live_connections", "Open live connections.", lambda: live.connections),
        ("scoreboard_live_subscriptions", "Subscriptions on live connections.", lambda: hub.subscriptions),
    ):
        gauge(registry, name, text, value)


def register_servers(registry: CollectorRegistry, probe: Probe, *, queued: bool) -> None:
    registry.register(_Servers(probe))
    if queued:
        gauge(registry, "scoreboard_queue_waiting", "Queue messages that wait to be applied.", lambda: probe.waiting)
        gauge(registry, "scoreboard_dead_letters", "Queue messages that could not be applied.", lambda: probe.dead)


def register_events(registry: CollectorRegistry, events: EventDelivery) -> None:
    registry.register(_Events(events))


class _Events(Collector):
    """Metrics of each event consumer, measured by the leading process."""

    def __init__(self, events: EventDelivery) -> None:
        self._events = events

    def collect(self) -> Iterator[Metric]:
        labels = ["consumer"]
        for name, text, counts in (
            ("scoreboard_outbox_delivered", "Events that a consumer has handled.", self._events.delivered),
            ("scoreboard_outbox_failures", "Calls in which a consumer failed.", self._events.failures),
        ):
            counted = CounterMetricFamily(name, text, labels=labels)
            for consumer, count in counts.items():
                counted.add_metric([consumer], count)
            yield counted
        skipped = CounterMetricFamily("scoreboard_outbox_skipped", "Events that a consumer missed.", labels=labels)
        lag_events = GaugeMetricFamily("scoreboard_outbox_lag_events", "Unhandled events.", labels=labels)
        lag_bytes = GaugeMetricFamily("scoreboard_outbox_lag_bytes", "Size of the unhandled events.", labels=labels)
        lag_s = GaugeMetricFamily("scoreboard_outbox_lag_seconds", "Age of the oldest unhandled event.", labels=labels)
        for consumer, backlog in self._events.backlogs.items():
            skipped.add_metric([consumer], backlog.skipped)
            lag_events.add_metric([consumer], backlog.events)
            lag_bytes.add_metric([consumer], backlog.size)
            lag_s.add_metric([consumer], backlog.age_s)
        yield from (skipped, lag_events, lag_bytes, lag_s)


class _Batches(Collector):
    """Counters of batches and their updates."""

    def __init__(self, commit: GroupCommit) -> None:
        self._commit = commit

    def collect(self) -> Iterator[Metric]:
        commit = self._commit
        yield CounterMetricFamily("scoreboard_batches", "Batches of updates applied.", value=commit.batches)
        yield CounterMetricFamily("scoreboard_batched_updates", "Updates in applied batches.", value=commit.batched)


class _Servers(Collector):
    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("scoreboard_server_up", "1 if the server answered its last probe.", labels=["server"])
        for name, answers in self._probe.answers.items():
            up.add_metric([name], float(answers))
        yield up
