import asyncio
import contextlib
from functools import partial

from harness.waiting import eventually
from scoreboard.application.ports.leader_lock import LeaderLock


async def test_work_is_begun_and_ends_with_who_wanted_it(turns: LeaderLock) -> None:
    state = "waiting"

    async def work() -> None:
        nonlocal state
        state = "at work"
        try:
            await asyncio.Event().wait()
        finally:
            state = "done"

    running = asyncio.ensure_future(turns.run_as_leader("job", work))
    await eventually(lambda: state == "at work")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert state == "done"


async def test_a_turn_that_was_given_back_is_there_for_the_next(turns: LeaderLock) -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(len(begun))
        await asyncio.Event().wait()

    for holder in range(2):
        running = asyncio.ensure_future(turns.run_as_leader("job", work))
        await eventually(partial(_begun, begun, holder + 1))
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _begun(begun: list[int], count: int) -> bool:
    return len(begun) == count
