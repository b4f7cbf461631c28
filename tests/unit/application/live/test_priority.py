import asyncio

import pytest

from scoreboard.application.live import priority as priority_module
from scoreboard.application.live.priority import CommitPriority
from tests.running import BOUND_S


async def test_long_work_waits_for_a_commit_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority_module, "MOST_S", BOUND_S)
    priority, done = CommitPriority(), []

    async def fan_out() -> None:
        await priority.yield_to_commit()
        done.append("fan-out")

    with priority.commit():
        working = asyncio.create_task(fan_out())
        for _ in range(10):
            await asyncio.sleep(0)
        done.append("commit")
    await working
    assert done == ["commit", "fan-out"]


async def test_a_commit_that_takes_long_holds_nothing_up_for_ever() -> None:
    priority = CommitPriority()
    with priority.commit():
        await priority.yield_to_commit()


async def test_without_a_commit_others_get_a_turn_and_no_more() -> None:
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await CommitPriority().yield_to_commit()
    assert turns == [1]
