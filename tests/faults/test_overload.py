"""Overload: updates beyond the limit of pending ones get 503, and nothing is lost."""

import asyncio

import pytest

from harness.client import Answer
from harness.service import Running
from scoreboard.application.updates.batching import BatchLimits
from tests.faults.held import pending, writer_held

pytestmark = pytest.mark.slow

ROOM = 3


async def test_an_update_beyond_the_limit_gets_503_and_succeeds_on_a_retry(service: Running) -> None:
    board = await service.board()
    server = service.client("server", "game")
    service.service.commit.batcher.limits = BatchLimits(pending=ROOM)

    async def send(n: int) -> Answer:
        return await server.post(f"{board}/scores", {"player": f"p{n}", "increment": 1}, Idempotency_Key=f"k{n}")

    (await send(0)).ok()
    before = await service.records()
    async with writer_held(service) as release:
        waiting = []
        for n in range(1, ROOM + 1):
            waiting.append(asyncio.create_task(send(n)))
            await pending(service, n)
        for refused in (await send(ROOM + 1), await server.post(f"{board}/scores/batch", one_update())):
            refused.refused(503, "overloaded")
            assert int(refused.headers["Retry-After"]) >= 1
        assert (await send(0)).headers["Idempotent-Replayed"] == "true", "a replay needs no room"
        assert (await service.anybody.get(f"{board}/top")).ok()["total"] == 1, "reads continue"
        assert await service.records() == before
        release()
        for answer in await asyncio.gather(*waiting):
            answer.ok()
    (await send(ROOM + 1)).ok()
    assert (await service.anybody.get(f"{board}/top")).ok()["total"] == ROOM + 2


def one_update() -> dict[str, object]:
    return {"updates": [{"player": "batch", "increment": 1}]}
