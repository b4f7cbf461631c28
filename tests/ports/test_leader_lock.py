import asyncio
import contextlib
from functools import partial

from harness.waiting import eventually
from scoreboard.application.ports.leader_lock import LeaderLock


async def test_a_job_ends_with_its_caller(turns: LeaderLock) -> None:
    state = "waiting"

    async def work() -> None:
        nonlocal state
        state = "running"
        try:
            await asyncio.Event().wait()
        finally:
            state = "done"

    running = asyncio.ensure_future(turns.run_as_leader("job", work))
    await eventually(lambda: state == "running")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert state == "done"


async def test_a_released_lock_can_be_acquired_again(turns: LeaderLock) -> None:
    started: list[int] = []

    async def work() -> None:
        started.append(len(started))
        await asyncio.Event().wait()

    for earlier in range(2):
        running = asyncio.ensure_future(turns.run_as_leader("job", work))
        await eventually(partial(_started, started, earlier + 1))
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _started(started: list[int], count: int) -> bool:
    return len(started) == count
