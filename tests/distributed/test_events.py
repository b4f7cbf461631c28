"""Event consumers of several processes. See also tests/faults/test_outbox_kill.py."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from harness.service import Running, running
from harness.waiting import PATIENCE, eventually
from scoreboard.application.ports.outbox import ScoreUpdated
from scoreboard.application.upkeep.event_delivery import DeliveryLimits
from scoreboard.bootstrap.timings import Timings
from tests.distributed.calls import propagated, update
from tests.distributed.servers import Servers, down

pytestmark = pytest.mark.slow


class Recorder:
    """A consumer that records its events, unless it is blocked."""

    def __init__(self, name: str, *, blocked: bool = False) -> None:
        self.name = name
        self._blocked = blocked
        self.events: list[ScoreUpdated] = []
        self.calls = 0

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        self.calls += 1
        if self._blocked:
            await asyncio.Event().wait()
        self.events += events

    def players(self) -> set[str]:
        return {one.player for one in self.events}


async def test_redis_down(servers: Servers, tmp_path: Path) -> None:
    one = Recorder("webhook")
    async with running(tmp_path / "data", consumers=[one], **servers.settings()) as service:
        board = await service.board()
        async with down(servers.redis):
            for n in range(20):
                result = (await update(service, board, f"p{n}", n)).ok()
                assert result["rank"] is None
            await eventually(lambda: one.players() == {f"p{n}" for n in range(20)}, "events need no Redis")


async def test_postgres_down(servers: Servers, tmp_path: Path) -> None:
    one = Recorder("webhook")
    async with running(tmp_path / "data", consumers=[one], **servers.settings()) as service:
        board = await service.board()
        (await update(service, board, "ann", 1)).ok()
        await eventually(lambda: one.players() == {"ann"})
        async with down(servers.postgres):
            pass
        (await update(service, board, "bob", 1)).ok()
        await eventually(lambda: one.players() == {"ann", "bob"}, "delivery continues")


async def test_a_blocked_consumer_delays_no_other(servers: Servers, tmp_path: Path) -> None:
    blocked, healthy = Recorder("blocked", blocked=True), Recorder("healthy")
    async with running(tmp_path / "data", consumers=[blocked, healthy], **servers.settings()) as service:
        board = await service.board()
        for n in range(3):
            (await update(service, board, f"p{n}", n)).ok()
            await eventually(lambda n=n: len(healthy.events) == n + 1)  # type: ignore[misc]  # bound
        assert (blocked.calls, blocked.events) == (1, [])
        assert (await service.anybody.get("/metrics")).status == 200


async def test_two_of_each_role_lose_no_event_when_one_leaves(servers: Servers, tmp_path: Path) -> None:
    timings = Timings(patience=PATIENCE, events=DeliveryLimits(measure_s=0.05))
    consumers = [[Recorder("webhook"), Recorder("kafka")] for _ in range(2)]
    given = servers.settings()
    async with AsyncExitStack() as stack:
        apis: list[Running] = [
            await stack.enter_async_context(
                running(
                    tmp_path / f"api-{n}", parts=frozenset({"api"}), consumers=consumers[n], timings=timings, **given
                )
            )
            for n in range(2)
        ]
        jobs = [AsyncExitStack() for _ in range(2)]
        for n, own in enumerate(jobs):
            await stack.enter_async_context(own)
            await own.enter_async_context(
                running(
                    tmp_path / f"jobs-{n}", parts=frozenset({"jobs"}), consumers=consumers[n], timings=timings, **given
                )
            )
        board = await apis[0].board()
        await propagated(board, apis[1])
        sent: set[str] = set()

        async def send(prefix: str) -> None:
            names = [f"{prefix}{n}" for n in range(30)]
            for answer in await asyncio.gather(*(update(apis[n % 2], board, p, 1) for n, p in enumerate(names))):
                answer.ok()
            sent.update(names)

        def complete() -> bool:
            return all(mine.players() | theirs.players() == sent for mine, theirs in zip(*consumers, strict=True))

        await send("a")
        await eventually(complete)
        await jobs[0].aclose()
        await send("b")
        await eventually(complete, "the other has taken over")
        for of in zip(*consumers, strict=True):
            events = [one.event for recorder in of for one in recorder.events]
            assert len(events) >= len(set(events)) == len(sent)
