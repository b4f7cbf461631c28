"""The page of metrics tells those that there are."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.servers import postgres, redis
from harness.service import Running, running
from scoreboard.application.ports.outbox import ScoreUpdated
from tools.reference import DOCS

OF_A_REPLICA = {"scoreboard_replica_lag_seconds"}
OF_CONSUMERS = {
    "scoreboard_outbox_delivered_total",
    "scoreboard_outbox_failures_total",
    "scoreboard_outbox_skipped_total",
    "scoreboard_outbox_lag_events",
    "scoreboard_outbox_lag_bytes",
    "scoreboard_outbox_lag_seconds",
}
OF_A_QUEUE = {"scoreboard_queue_waiting", "scoreboard_dead_letters"}


class Deaf:
    """A consumer of events that has nothing to do."""

    name = "deaf"

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        """It is never called: nothing is committed."""


async def told(service: Running) -> set[str]:
    text = (await service.anybody.get("/metrics")).raw.decode()
    return {
        name for name in re.findall(r"^# HELP (scoreboard_\w+)", text, re.MULTILINE) if not name.endswith("_created")
    }


@pytest.mark.slow
async def test_each_metric_is_on_the_page_and_the_page_has_no_other(tmp_path: Path, redis_url: str) -> None:
    shared: dict[str, Any] = {
        "database_url": await postgres.fresh_database(),
        "ranking_url": redis.emptied(redis_url),
        "signing_key": "k" * 32,
    }
    written = set(re.findall(r"`(scoreboard_\w+)", (DOCS / "reference" / "metrics.md").read_text()))
    async with running(tmp_path / "data", **shared) as service:
        assert await told(service) == written - OF_A_QUEUE - OF_A_REPLICA - OF_CONSUMERS
    shared["database_replica_url"] = shared["database_url"]  # it is none, which the metric tells
    async with running(tmp_path / "data", consumers=[Deaf()], **shared) as service:
        assert await told(service) == written - OF_A_QUEUE
