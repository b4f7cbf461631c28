"""The page of metrics tells those that there are."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.running import Running, running
from tests.servers import postgres, redis
from tools.reference import DOCS

OF_A_REPLICA = {"scoreboard_replica_lag_seconds"}
OF_A_QUEUE = {"scoreboard_queue_waiting", "scoreboard_dead_letters"}


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
        assert await told(service) == written - OF_A_QUEUE - OF_A_REPLICA
    shared["database_replica_url"] = shared["database_url"]  # it is none, which the metric tells
    async with running(tmp_path / "data", **shared) as service:
        assert await told(service) == written - OF_A_QUEUE
