"""Queued updates: replays of single updates and batches, and priorities."""

from pathlib import Path
from typing import Any

import pytest

from harness.client import Answer
from harness.servers.postgres import query
from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.calls import top, update
from tests.distributed.servers import Servers
from tests.making import submission

pytestmark = pytest.mark.slow

BACKLOG = 10_000
# The numbers of transactions are in the order of their first writes.
APPLIED_BEFORE = """
  SELECT count(*) FROM ledger WHERE xmin::text::bigint < (
    SELECT l.xmin::text::bigint FROM ledger l JOIN players p ON p.number = l.player WHERE p.player = $1
  )
"""


async def batch(service: Running, board: str, *updates: dict[str, Any], **headers: str) -> Answer:
    return await service.client("server", "game").post(f"{board}/scores/batch", {"updates": updates}, **headers)


async def test_a_replay_has_the_event_of_the_first_request(servers: Servers, tmp_path: Path) -> None:
    async with running(tmp_path / "data", **servers.settings(queue=True)) as service:
        board = await service.board(consistency="queued", max_total=6)
        one = await update(service, board, "ann", 1, Idempotency_Key="one")
        updates = [{"player": player, "increment": 5} for player in ("bob", "bob", "cat")]
        first = (await batch(service, board, *updates, Idempotency_Key="many")).ok()
        events = [one.ok(202)["event"], *(item["event"] for item in first["results"])]

        async def outcomes() -> list[str]:
            return [(await service.operator.get(f"/v1/apps/game/events/{event}")).ok()["status"] for event in events]

        async def applied() -> bool:
            return "pending" not in await outcomes()

        await eventually(applied, "each has its outcome")
        assert await outcomes() == ["applied", "applied", "refused", "applied"]

        again = await update(service, board, "ann", 1, Idempotency_Key="one")
        assert again.ok(202) == one.body
        assert again.headers["Idempotent-Replayed"] == "true"
        updates[2]["increment"] = 4  # another request with a used key
        answer = (await batch(service, board, *updates, {"player": "dan", "increment": 2}, Idempotency_Key="many")).ok()
        assert (answer["applied"], answer["accepted"], answer["refused"]) == (0, 3, 1)
        replayed, refused, reused, new = answer["results"]
        for item, before in ((replayed, first["results"][0]), (refused, first["results"][1])):
            assert before["replayed"] is False
            assert item == {**before, "replayed": True}
        assert (reused["status"], reused["code"]) == ("refused", "key_reused")
        assert (new["status"], new["replayed"]) == ("accepted", False)

        async def counted() -> bool:
            return await top(service, board) == [(1, "bob", 5), (2, "cat", 5), (3, "dan", 2), (4, "ann", 1)]

        await eventually(counted, "each update counts once")


async def test_a_high_update_overtakes_a_backlog_of_ten_thousand_messages(servers: Servers, tmp_path: Path) -> None:
    given = servers.settings(queue=True)
    async with running(tmp_path / "api", parts=frozenset({"api"}), **given) as api:
        await api.board("low", consistency="queued", priority="low")
        high = await api.board("high", consistency="queued", priority="high")
        enqueue = api.service.queue_publisher
        assert enqueue is not None
        board = await api.service.directory.board("game", "low")
        alone = [enqueue.codec.messages([submission(board, f"p{n}")]) for n in range(BACKLOG)]
        await enqueue.queue.publish([message for messages in alone for message in messages])
        (await update(api, high, "ann", 5)).ok(202)

        async def applied() -> bool:
            return await top(api, high) == [(1, "ann", 5)]

        async with running(tmp_path / "worker", parts=frozenset({"worker"}), **given):
            await eventually(applied)
    ((before,),) = await query(servers.database, APPLIED_BEFORE, "ann")
    assert before < BACKLOG / 10
