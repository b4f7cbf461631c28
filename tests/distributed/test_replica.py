"""The service with a replica for long reads, and an outage of the replica."""

from pathlib import Path
from typing import Any

import pytest

from harness.servers.postgres import postgres, query
from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.servers import Servers, down

pytestmark = pytest.mark.slow

SCANS = """
  SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE relname ~ '^ledger' AND pg_is_in_recovery()
"""


async def entries(service: Running, board: str) -> list[tuple[Any, Any]]:
    page = (await service.operator.get(f"{board}/ledger?limit=1000")).ok()
    return [(entry["player"], entry["value"]) for entry in page["entries"]]


async def is_up(service: Running, up: float) -> bool:
    metrics = (await service.anybody.get("/metrics")).raw.decode()
    return f'scoreboard_server_up{{server="replica"}} {up}' in metrics


async def test_an_acknowledged_entry_is_in_the_ledger_at_once(servers: Servers, tmp_path: Path) -> None:
    with postgres(of=servers.postgres) as follower:
        replica_url = f"{follower.url.rpartition('/')[0]}/{servers.database.rpartition('/')[2]}"
        settings = servers.settings(database_replica_url=replica_url)
        async with running(tmp_path / "data", **settings) as service:
            board = await service.board()
            wanted: list[tuple[Any, Any]] = []

            async def play(rounds: int) -> None:
                for _ in range(rounds):
                    body = {"player": "ann", "increment": len(wanted)}
                    (await service.client("server", "game").post(f"{board}/scores", body)).ok()
                    wanted.append(("ann", len(wanted)))
                    assert await entries(service, board) == wanted

            async def is_read() -> bool:
                """Return whether the ledger is read from the replica."""
                await play(1)
                return bool((await query(replica_url, SCANS))[0][0])

            await eventually(is_read)
            async with down(follower):
                await play(5)
                await eventually(lambda: is_up(service, 0.0))
            await eventually(lambda: is_up(service, 1.0))
            await eventually(is_read)
