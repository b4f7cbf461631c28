"""Retention in the running service: old receipts and refusals are purged."""

from pathlib import Path

from harness.service import running
from harness.waiting import eventually
from scoreboard.application.upkeep.retention import DAY_US
from scoreboard.bootstrap.service import wall_clock


async def test_receipts_and_refusals_are_purged_and_scores_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(data, receipt_days=7, clock=lambda: wall_clock() - 8 * DAY_US) as service:
        board = await service.board(max_total=10)
        server = service.client("server", "game")
        first = (await server.post(f"{board}/scores", {"player": "a", "increment": 9}, Idempotency_Key="k")).ok()
        refused = await server.post(f"{board}/scores", {"player": "a", "increment": 9}, Idempotency_Key="r")
        refused.refused(409, "total_out_of_bounds")
        assert (await service.records())["receipts"] == 2
    async with running(data, receipt_days=30) as service:
        again = await service.client("server", "game").post(
            f"{board}/scores", {"player": "a", "increment": 9}, Idempotency_Key="k"
        )
        assert again.headers["Idempotent-Replayed"] == "true"
    async with running(data, receipt_days=7) as service:

        async def purged() -> bool:
            records = await service.records()
            return records["receipts"] == records["refusals"] == 0

        await eventually(purged, "receipts and refusals are purged")
        server = service.client("server", "game")
        event = f"/v1/apps/game/events/{first['event']}"
        assert (await server.get(event)).ok()["status"] == "applied"
        applied = (await server.post(f"{board}/scores", {"player": "a", "increment": 1}, Idempotency_Key="k")).ok()
        assert applied["score"] == 10
