import asyncio
import contextlib

import pytest
from structlog.typing import EventDict

from scoreboard.concurrency.every import every
from scoreboard.domain import codes


async def run_until(runs: int, errors: list[Exception], name: str = "repair") -> int:
    """Run a job that raises the errors in order; return the number of its runs."""
    done = asyncio.Event()
    count = 0

    async def job() -> None:
        nonlocal count
        count += 1
        if count == runs:
            done.set()
        if count <= len(errors):
            raise errors[count - 1]

    loop = asyncio.create_task(every(0, job, name))
    await done.wait()
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop
    return count


async def test_a_job_runs_at_once_and_again() -> None:
    assert await run_until(3, []) == 3


async def test_a_failure_is_logged_and_does_not_end_the_loop(logged: list[EventDict]) -> None:
    assert await run_until(2, [RuntimeError("a bug")]) == 2
    assert [(line["event"], line["job"], line["log_level"]) for line in logged] == [("job_failed", "repair", "error")]


async def test_an_unreachable_server_is_logged_at_debug_level(logged: list[EventDict]) -> None:
    assert await run_until(2, [codes.STORAGE_FAILED.error("the database failed")]) == 2
    assert [(line["event"], line["code"], line["log_level"]) for line in logged] == [
        ("job_postponed", "storage_failed", "debug")
    ]


async def test_cancelling_ends_the_loop() -> None:
    loop = asyncio.create_task(every(3600, asyncio.Event().wait, "waiting"))
    await asyncio.sleep(0)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
