import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.typing import EventDict

from harness.servers.postgres import Server, fresh_database
from harness.servers.processes import frozen
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.postgres import database, leader_lock
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.leader_lock import PostgresLeaderLock
from tests.unit.adapters.postgres.conftest import Process

pytestmark = pytest.mark.slow


class Workers:
    """Who works now, and who ever did."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.most = 0
        self.begun: list[str] = []

    async def work(self, who: str) -> None:
        self.at_work.append(who)
        self.begun.append(who)
        self.most = max(self.most, len(self.at_work))
        try:
            await asyncio.Event().wait()
        finally:
            self.at_work.remove(who)


@asynccontextmanager
async def taking_turns(store: Database, workers: Workers, who: str, name: str = "jobs") -> AsyncIterator[None]:
    running = asyncio.ensure_future(PostgresLeaderLock(store).run_as_leader(name, lambda: workers.work(who)))
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_who_is_stopped_while_its_work_ends_takes_no_turn_again(process: Process) -> None:
    """Its turn is lost, and what it did is slow to end: held there, it is cancelled."""
    store = await process()
    ends, begun = asyncio.Event(), list[str]()

    async def slow_to_end() -> None:
        begun.append("work")
        try:
            await asyncio.Event().wait()
        finally:
            begun.append("ending")
            await ends.wait()

    running = asyncio.ensure_future(PostgresLeaderLock(store).run_as_leader("jobs", slow_to_end))
    await eventually(lambda: begun == ["work"])
    await store.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE locktype = 'advisory' AND datname = current_database()"
    )
    await eventually(lambda: begun == ["work", "ending"])
    running.cancel()
    await asyncio.wait((running,), timeout=BOUND_S)
    ends.set()
    assert running.cancelled()
    assert begun == ["work", "ending"]


async def test_one_works_and_when_it_gives_the_turn_back_another(process: Process) -> None:
    workers = Workers()
    async with taking_turns(await process(), workers, "b"):
        await eventually(lambda: workers.at_work == ["b"])
        async with (
            taking_turns(await process(), workers, "c"),
            taking_turns(await process(), workers, "other name", "else"),
        ):
            await eventually(lambda: workers.at_work == ["b", "other name"])
        assert workers.begun == ["b", "other name"]
    async with taking_turns(await process(), workers, "d"):
        await eventually(lambda: workers.at_work == ["d"])


async def test_a_turn_that_is_lost_stops_the_work_and_is_taken_again(process: Process) -> None:
    workers, store = Workers(), await process()
    async with taking_turns(await process(), workers, "a"), taking_turns(await process(), workers, "b"):
        await eventually(lambda: workers.at_work)
        (first,) = workers.at_work
        await store.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await eventually(lambda: len(workers.begun) == 2)
        await eventually(lambda: len(workers.at_work) == 1)
    assert workers.begun[0] == first
    assert workers.most == 1


async def test_a_server_that_was_away_has_one_at_work_again(server: Server) -> None:
    workers = Workers()
    async with (
        database.open_database(await fresh_database(server.url)) as store,
        taking_turns(store, workers, "a"),
        taking_turns(store, workers, "b"),
    ):
        await eventually(lambda: workers.at_work)
        server.kill()
        await eventually(lambda: not workers.at_work)
        server.start()
        await eventually(lambda: workers.at_work)
    assert workers.most == 1


async def test_a_turn_that_is_lost_is_said_with_its_reason(
    server: Server, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_lock, "LOST_S", 0.2)
    workers = Workers()
    async with database.open_database(await fresh_database(server.url)) as store, taking_turns(store, workers, "a"):
        await eventually(lambda: workers.at_work)
        with frozen(server.pid):
            await eventually(lambda: not workers.at_work)
            await eventually(lambda: any(entry["event"] == "turn_lost" for entry in logged))
    assert [entry["error"] for entry in logged if entry["event"] == "turn_lost"] == ["it does not answer"]


async def test_work_that_fails_gives_the_turn_back(process: Process) -> None:
    async def failing() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await PostgresLeaderLock(await process()).run_as_leader("jobs", failing)
    workers = Workers()
    async with taking_turns(await process(), workers, "another"):
        await eventually(lambda: workers.at_work == ["another"])
