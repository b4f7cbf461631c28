"""The reference page of metrics is complete and current."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.servers import postgres, redis
from harness.service import Running, running
from scoreboard.application.ports.outbox import ScoreUpdated
from tools.reference import DOCS

REPLICA_METRICS = {"scoreboard_replica_lag_seconds"}
CONSUMER_METRICS = {
    "scoreboard_outbox_delivered_total",
    "scoreboard_outbox_failures_total",
    "scoreboard_outbox_skipped_total",
    "scoreboard_outbox_lag_events",
    "scoreboard_outbox_lag_bytes",
    "scoreboard_outbox_lag_seconds",
}
QUEUE_METRICS = {"scoreboard_queue_waiting", "scoreboard_dead_letters"}


class IdleConsumer:
    """A consumer of events that gets none, as nothing is committed."""

    name = "idle"

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        """Accept the events."""


async def served_metrics(service: Running) -> set[str]:
    text = (await service.anybody.get("/metrics")).raw.decode()
    return {
        name for name in re.findall(r"^# HELP (scoreboard_\w+)", text, re.MULTILINE) if not name.endswith("_created")
    }


@pytest.mark.slow
async def test_the_page_has_exactly_the_metrics_of_a_service(tmp_path: Path, redis_url: str) -> None:
    shared: dict[str, Any] = {
        "database_url": await postgres.fresh_database(),
        "ranking_url": redis.emptied(redis_url),
        "signing_key": "k" * 32,
    }
    documented = set(re.findall(r"`(scoreboard_\w+)", (DOCS / "reference" / "metrics.md").read_text()))
    async with running(tmp_path / "data", **shared) as service:
        assert await served_metrics(service) == documented - QUEUE_METRICS - REPLICA_METRICS - CONSUMER_METRICS
    shared["database_replica_url"] = shared["database_url"]  # no replica: the lag is NaN
    async with running(tmp_path / "data", consumers=[IdleConsumer()], **shared) as service:
        assert await served_metrics(service) == documented - QUEUE_METRICS
