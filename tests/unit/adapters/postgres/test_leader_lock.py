import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.typing import EventDict

from harness.servers.postgres import TIMEOUTS, Server, fresh_database, open_database
from harness.servers.processes import frozen
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.leader_lock import PostgresLeaderLock
from tests.unit.adapters.postgres.conftest import Process

pytestmark = pytest.mark.slow


class Workers:
    """The workers that run now, and all that have started."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most = 0
        self.started: list[str] = []

    async def work(self, name: str) -> None:
        self.running.append(name)
        self.started.append(name)
        self.most = max(self.most, len(self.running))
        try:
            await asyncio.Event().wait()
        finally:
            self.running.remove(name)


@asynccontextmanager
async def leading(store: Database, workers: Workers, worker: str, name: str = "jobs") -> AsyncIterator[None]:
    task = asyncio.ensure_future(PostgresLeaderLock(store).run_as_leader(name, lambda: workers.work(worker)))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_leader_cancelled_while_its_work_ends_does_not_lead_again(process: Process) -> None:
    """The lock is lost, the work is slow to end, and then the task is cancelled."""
    store = await process()
    ends, begun = asyncio.Event(), list[str]()

    async def slow_to_end() -> None:
        begun.append("work")
        try:
            await asyncio.Event().wait()
        finally:
            begun.append("ending")
            await ends.wait()

    task = asyncio.ensure_future(PostgresLeaderLock(store).run_as_leader("jobs", slow_to_end))
    await eventually(lambda: begun == ["work"])
    await store.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE locktype = 'advisory' AND datname = current_database()"
    )
    await eventually(lambda: begun == ["work", "ending"])
    task.cancel()
    await asyncio.wait((task,), timeout=BOUND_S)
    ends.set()
    assert task.cancelled()
    assert begun == ["work", "ending"]


async def test_one_worker_runs_until_it_releases_the_lock(process: Process) -> None:
    workers = Workers()
    async with leading(await process(), workers, "b"):
        await eventually(lambda: workers.running == ["b"])
        async with (
            leading(await process(), workers, "c"),
            leading(await process(), workers, "other name", "else"),
        ):
            await eventually(lambda: workers.running == ["b", "other name"])
        assert workers.started == ["b", "other name"]
    async with leading(await process(), workers, "d"):
        await eventually(lambda: workers.running == ["d"])


async def test_a_lost_lock_stops_the_work_and_is_acquired_again(process: Process) -> None:
    workers, store = Workers(), await process()
    async with leading(await process(), workers, "a"), leading(await process(), workers, "b"):
        await eventually(lambda: workers.running)
        (first,) = workers.running
        await store.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await eventually(lambda: len(workers.started) == 2)
        await eventually(lambda: len(workers.running) == 1)
    assert workers.started[0] == first
    assert workers.most == 1


async def test_one_worker_runs_after_an_outage(server: Server) -> None:
    workers = Workers()
    async with (
        open_database(await fresh_database(server.url)) as store,
        leading(store, workers, "a"),
        leading(store, workers, "b"),
    ):
        await eventually(lambda: workers.running)
        server.kill()
        await eventually(lambda: not workers.running)
        server.start()
        await eventually(lambda: workers.running)
    assert workers.most == 1


async def test_a_lost_lock_is_logged_with_the_reason(server: Server, logged: list[EventDict]) -> None:
    workers, url = Workers(), await fresh_database(server.url)
    timeouts = replace(TIMEOUTS, ping_s=0.2)
    async with open_database(url, timeouts=timeouts) as store, leading(store, workers, "a"):
        await eventually(lambda: workers.running)
        with frozen(server.pid):
            await eventually(lambda: not workers.running)
            await eventually(lambda: any(entry["event"] == "leader_lock_lost" for entry in logged))
    assert [entry["error"] for entry in logged if entry["event"] == "leader_lock_lost"] == ["it does not answer"]


async def test_failing_work_releases_the_lock(process: Process) -> None:
    async def failing() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await PostgresLeaderLock(await process()).run_as_leader("jobs", failing)
    workers = Workers()
    async with leading(await process(), workers, "another"):
        await eventually(lambda: workers.running == ["another"])
