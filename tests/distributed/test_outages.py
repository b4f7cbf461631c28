"""Outages of each server, without a restart of the service."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.calls import top, update
from tests.distributed.servers import Servers, down
from tests.live.watching import page, scores_of

pytestmark = pytest.mark.slow


async def rank_of(service: Running, board: str, player: str, increment: int = 0) -> Any:
    return (await update(service, board, player, increment)).ok()["rank"]


async def test_postgres_down(servers: Servers, tmp_path: Path) -> None:
    async with running(tmp_path / "data", **servers.settings(queue=True)) as service:
        direct, queued = await service.board(), await service.board("later", consistency="queued")
        await service.operator.post("/v1/apps/game/players", {"player": "ann", "username": "Ann the first"})
        (await update(service, direct, "ann", 5)).ok()
        async with down(servers.postgres):
            service.service.reads.names.invalidate_all()
            accepted = [
                (await update(service, queued, f"p{n}", n, Idempotency_Key=f"k{n}")).ok(202)["event"] for n in range(20)
            ]
            refused = await update(service, direct, "ann", 1, Idempotency_Key="direct")
            assert refused.refused(503, "storage_failed").headers["Retry-After"]
            page = (await service.anybody.get(f"{direct}/top")).ok()
            assert [(e["username"], e["score"]) for e in page["entries"]] == [("ann", 5)]
            assert (await service.anybody.get(f"{direct}/players/ann")).ok()["rank"] == 1
        for n, event in enumerate(accepted):
            await eventually(partial(_has_outcome, service, event), f"{event} has its outcome")
            assert (await service.operator.get(f"/v1/apps/game/events/{event}")).ok()["score"] == n
        again = await update(service, direct, "ann", 1, Idempotency_Key="direct")
        assert again.ok()["score"] == 6
        assert (await service.anybody.get(f"{direct}/top")).ok()["entries"][0]["username"] == "Ann the first"
        assert len(await top(service, queued)) == 10


async def _has_outcome(service: Running, event: str) -> bool:
    answer = await service.operator.get(f"/v1/apps/game/events/{event}")
    return answer.status == 200 and answer.body["status"] != "pending"


async def test_names_are_shown_after_an_outage_of_their_database(service: Running, servers: Servers) -> None:
    board = await service.board()
    await service.operator.post("/v1/apps/game/players", {"player": "ann", "username": "Ann the first"})
    (await update(service, board, "ann", 5)).ok()
    async with down(servers.postgres):
        service.service.reads.names.invalidate_all()
        assert (await service.anybody.get(f"{board}/top")).ok()["entries"][0]["username"] == "ann"

    async def named() -> bool:
        entries = (await service.anybody.get(f"{board}/top")).ok()["entries"]
        return bool(entries[0]["username"] == "Ann the first")

    await eventually(named, "the name is shown without an update")


async def test_redis_down(servers: Servers, tmp_path: Path) -> None:
    settings = servers.settings(player_updates_per_minute=50)
    async with running(tmp_path / "data", **settings) as service, page(service) as live:
        board = await service.board(player_values=True)
        for n in range(1, 6):
            await rank_of(service, board, f"p{n}", n)
        _, first = await live.watch()
        alice = service.client("player", "game", "alice")
        async with down(servers.redis):
            for n in range(1, 31):
                result = (await alice.post(f"{board}/scores", {"increment": 1})).ok()
                assert (result["score"], result["rank"], result["rank_state"]) == (n, None, "unavailable")
                assert await top(service, board) == ranked(("alice", n), *((f"p{i}", i) for i in range(1, 6)))
            standing = (await service.anybody.get(f"{board}/players/p3")).ok()
            assert (standing["rank"], standing["rank_state"], standing["total"]) == (4, "exact", 6)
            shown = first
            while dict(scores_of(shown)).get("alice") != 30:
                shown = await live.next("top")
            assert shown["epoch"] != first["epoch"]

        async def ranked_again() -> bool:
            return bool((await update(service, board, "p1", 0)).ok()["rank_state"] == "exact")

        await eventually(ranked_again, "the ranking has caught up")
        assert await top(service, board) == ranked(("alice", 30), *((f"p{i}", i) for i in range(1, 6)))
        (await update(service, board, "p1", 50)).ok()
        while dict(scores_of(shown)).get("p1") != 51:
            shown = await live.next("top")


def ranked(*scores: tuple[str, int]) -> list[tuple[int, str, int]]:
    """Return the ranked entries. Among equal scores, alice is last."""
    return [(n, *one) for n, one in enumerate(sorted(scores, key=lambda one: (-one[1], one[0] == "alice")), 1)]


@pytest.mark.parametrize("fallback", ["direct", "refuse"])
async def test_rabbitmq_down(servers: Servers, tmp_path: Path, fallback: str) -> None:
    async with running(tmp_path / "data", **servers.settings(queue=True, queue_fallback=fallback)) as service:
        board = await service.board(consistency="queued")
        (await update(service, board, "ann", 1)).ok(202)
        async with down(servers.broker):
            answer = await update(service, board, "ann", 2, Idempotency_Key="outage")
            if fallback == "direct":
                event = answer.ok(202)["event"]
                assert (await service.operator.get(f"/v1/apps/game/events/{event}")).ok()["status"] == "applied"
            else:
                answer.refused(503, "queue_unavailable")
                assert answer.headers["Retry-After"]

        async def accepted() -> bool:
            return (await update(service, board, "ann", 2, Idempotency_Key="outage")).status == 202

        await eventually(accepted, "updates are queued again")

        async def counted() -> bool:
            return await top(service, board) == [(1, "ann", 3)]

        await eventually(counted, "each update counts once")


async def test_redis_emptied_during_updates(service: Running, servers: Servers) -> None:
    board = await service.board()
    acknowledged = 0
    stopped = asyncio.Event()

    async def writes() -> None:
        nonlocal acknowledged
        while not stopped.is_set():
            acknowledged = (await update(service, board, "ann", 1)).ok()["score"]

    async def reads() -> None:
        while not stopped.is_set():
            before = acknowledged
            (entry,) = (await service.anybody.get(f"{board}/top")).ok()["entries"]
            standing = (await service.anybody.get(f"{board}/players/ann")).ok()
            assert entry["score"] >= before
            assert standing["score"] >= before
            assert (entry["rank"], standing["rank"], standing["rank_state"]) == (1, 1, "exact")

    acknowledged = (await update(service, board, "ann", 1)).ok()["score"]
    tasks = [asyncio.create_task(writes()), *(asyncio.create_task(reads()) for _ in range(3))]
    for _ in range(5):
        await asyncio.sleep(0.1)  # for some updates
        servers.redis.ask("FLUSHALL")
    stopped.set()
    await asyncio.gather(*tasks)

    async def exact() -> bool:
        return bool((await update(service, board, "ann", 0)).ok()["rank_state"] == "exact")

    await eventually(exact, "it is ranked in Redis again")
    assert await top(service, board) == [(1, "ann", acknowledged)]


async def test_postgres_and_redis_down(service: Running, servers: Servers) -> None:
    """Reads return an error, and no wrong or outdated answer."""
    board = await service.board()
    (await update(service, board, "ann", 5)).ok()
    await top(service, board)
    async with down(servers.postgres, servers.redis):
        for path in ("top", "top?limit=3", "players/ann/around"):
            answer = await service.anybody.get(f"{board}/{path}")
            assert answer.refused(503, "ranking_unavailable").headers["Retry-After"]
        (await service.anybody.get(f"{board}/players/ann")).refused(503, "storage_failed")
        (await update(service, board, "ann", 1)).refused(503, "storage_failed")
    assert await top(service, board) == [(1, "ann", 5)]

    async def ranked_again() -> bool:
        return bool(await rank_of(service, board, "ann", 0) == 1)

    await eventually(ranked_again, "the ranking is used again")
