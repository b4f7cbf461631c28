"""Promise 1 on PostgreSQL, Redis and RabbitMQ: one kill -9 of every victim.

`make chaos` repeats them.
"""

from pathlib import Path

import pytest

from chaos.__main__ import run
from chaos.cluster import VICTIMS
from chaos.report import table
from chaos.rounds import IN_FLIGHT
from harness.servers.redis import program

pytestmark = pytest.mark.slow


async def test_no_acknowledged_update_is_lost_or_doubled_by_kill_9_of_any_process_or_server(tmp_path: Path) -> None:
    outcomes = await run(tmp_path, list(VICTIMS), 1, program())
    print(table(outcomes))
    assert [outcome.verdict.faults for outcome in outcomes] == [{}] * len(VICTIMS)
    assert all(None not in outcome.recovered for outcome in outcomes)
    assert min(min(outcome.in_flight) for outcome in outcomes) >= IN_FLIGHT
