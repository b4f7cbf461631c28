"""Migrations, errors, and a server that fails and recovers."""

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from structlog.typing import EventDict

from harness.servers.postgres import TIMEOUTS, Server, empty_database, fresh_database, open_database
from harness.servers.processes import frozen
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import ATTEMPTS, Connection, Database, RetryTransaction
from scoreboard.domain.errors import Unavailable
from tests.unit.adapters.postgres.conftest import Process, rows

pytestmark = pytest.mark.slow


@pytest.fixture
async def store(process: Process) -> Database:
    return await process()


async def test_concurrent_migrations_are_applied_once() -> None:
    url = await empty_database()
    applied = await asyncio.gather(*(database.migrate(url, TIMEOUTS) for _ in range(4)))
    assert sorted(len(files) for files in applied)[:3] == [0, 0, 0]
    assert any(applied)
    assert await database.migrate(url, TIMEOUTS) == []


async def test_a_failed_migration_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    url = await empty_database()
    with monkeypatch.context() as patched:
        patched.setitem(database.SQL, "add_migration", "SELECT 1 / 0 + $1::integer + length($2)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await database.migrate(url, TIMEOUTS)
    assert await database.migrate(url, TIMEOUTS)


async def test_a_commit_waits_for_the_disk_even_if_the_server_does_not(store: Database) -> None:
    await store.fetch(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
    )
    connection = await store.connection()
    try:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_a_server_that_does_not_sync_is_logged(server: Server, logged: list[EventDict]) -> None:
    async with open_database(server.url) as store:
        await store.fetch("SELECT 1")
        assert logged == []
        await store.fetch("ALTER SYSTEM SET full_page_writes = off")
        await store.fetch("SELECT pg_reload_conf()")
    async with open_database(server.url, connections=1_000) as store:
        await store.fetch("SELECT 1")
        await store.fetch("ALTER SYSTEM RESET full_page_writes")
        await store.fetch("SELECT pg_reload_conf()")
    assert {entry["event"] for entry in logged} == {"database_not_durable", "too_few_connections"}


async def test_calls_fail_while_the_server_is_down_and_succeed_when_it_is_up(server: Server) -> None:
    async with open_database(await fresh_database(server.url)) as store:
        await store.fetch("INSERT INTO apps (app, name, time_zone) VALUES ('game', 'Game', 'UTC')")

        async def killing(c: Connection) -> None:
            await c.execute("DELETE FROM apps")
            server.kill()

        with pytest.raises(Unavailable) as raised:
            await store.transaction(killing)
        assert raised.value.code == "storage_failed"
        for _ in range(3):
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1")
            with pytest.raises(Unavailable):
                await store.connection()
        server.start()
        assert await rows(store.fetch("SELECT app FROM apps")) == [("game",)]


async def test_timeouts_are_short_while_the_server_does_not_respond(server: Server) -> None:
    """A frozen server accepts connections, so only timeouts detect it."""
    url = await fresh_database(server.url)
    async with open_database(url, timeouts=replace(TIMEOUTS, unresponsive_s=0.2)) as store:
        await store.fetch("SELECT 1")
        faults = store.faults
        with frozen(server.pid):
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1", within_s=0.2)
            assert faults.limit_timeout(60.0) == 0.2
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1")
            with pytest.raises(Unavailable):
                await store.transaction(lambda c: c.execute("DELETE FROM apps"))
        await eventually(lambda: answers(store))
        assert faults.limit_timeout(60.0) == 60.0


async def test_the_pool_closes_while_the_server_does_not_respond(server: Server) -> None:
    with ExitStack() as stack:
        async with open_database(await fresh_database(server.url)) as store:
            await store.fetch("SELECT 1")
            stack.enter_context(frozen(server.pid))


async def test_a_cancelled_call_to_an_unresponsive_server_leaves_no_error(server: Server) -> None:
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    async with open_database(await fresh_database(server.url)) as store:
        await asyncio.gather(*(store.fetch("SELECT 1") for _ in range(2)))
        with frozen(server.pid):
            fetching = asyncio.create_task(store.fetch("SELECT 2"))
            changing = asyncio.create_task(store.transaction(lambda c: c.execute("DELETE FROM apps"), within_s=0.5))
            await asyncio.sleep(0.1)  # until the server has the statements
            for one in (fetching, changing, fetching):  # by its own timeout, and again by the end of the process
                one.cancel()
                await asyncio.sleep(0)
            for one in (fetching, changing):
                with pytest.raises(asyncio.CancelledError):
                    await one
            await eventually(lambda: store.faults.unresponsive, "the transaction has failed")
        await eventually(lambda: answers(store))
    del fetching, changing, one
    gc.collect()  # an unretrieved exception is reported when its future is collected
    assert unhandled == []


async def answers(store: Database) -> bool:
    try:
        return bool(await store.fetch("SELECT 1"))
    except Unavailable:
        return False


@pytest.mark.parametrize("url", ["postgresql://", "postgresql:///", "postgresql://a b/c"])
def test_a_url_without_a_database_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"must have the form postgresql://user:password@"):
        database.check_url(url)


async def test_an_outage_and_its_end_are_logged_once(server: Server, logged: list[EventDict]) -> None:
    async with open_database(server.url) as store:
        server.stop()
        for _ in range(5):
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1")
        server.start()
        for _ in range(2):
            await store.fetch("SELECT 1")
    assert [entry["event"] for entry in logged] == ["storage_failed", "database_responds_again"]


async def test_a_connection_cancelled_while_it_is_made_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SQL, "settings", "SELECT pg_sleep(60)")
    other = await asyncpg.connect(server.url)

    async def sleeping() -> bool:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return bool(await other.fetchval(statement) == 1)

    async with open_database(server.url) as store:
        making = asyncio.create_task(store.connection())
        await eventually(sleeping, "its settings are read")
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    await other.close()
    gc.collect()  # an open connection would cause a warning


async def test_a_database_can_be_opened_while_the_server_is_down(server: Server) -> None:
    server.stop()
    async with open_database(server.url) as store:
        with pytest.raises(Unavailable):
            await store.fetch("SELECT 1")
        server.start()
        assert await rows(store.fetch("SELECT 1")) == [(1,)]


async def test_a_conflict_is_retried_a_limited_number_of_times(store: Database) -> None:
    tries = 0

    async def contended(c: Connection) -> int:
        nonlocal tries
        tries += 1
        await c.execute("INSERT INTO directory_version (version) VALUES (7)")
        if tries < 3:
            raise RetryTransaction
        return tries

    assert await store.transaction(contended) == 3
    assert await rows(store.fetch("SELECT count(*) FROM directory_version WHERE version = 7")) == [(1,)]
    tries = -1_000
    with pytest.raises(Unavailable):
        await store.transaction(contended)
    assert tries == ATTEMPTS - 1_000


async def test_a_deadlock_is_retried(process: Process) -> None:
    one, other = await process(), await process()
    await one.fetch("INSERT INTO apps (app, name, time_zone) VALUES ('a', '0', 'UTC'), ('b', '0', 'UTC')")
    meet = asyncio.Barrier(2)
    met: set[str] = set()

    async def both(store: Database, first: str, second: str) -> None:
        async def work(c: Connection) -> None:
            for place, app in enumerate((first, second)):
                await c.execute("UPDATE apps SET name = (name::integer + 1)::text WHERE app = $1", app)
                if place == 0 and first not in met:
                    met.add(first)
                    await meet.wait()

        await store.transaction(work)

    await asyncio.gather(both(one, "a", "b"), both(other, "b", "a"))
    assert await rows(one.fetch("SELECT name FROM apps")) == [("2",), ("2",)]


async def test_cancelling_the_caller_does_not_stop_its_transaction(store: Database) -> None:
    begun, resume = asyncio.Event(), asyncio.Event()

    async def work(c: Connection) -> None:
        begun.set()
        await resume.wait()
        await c.execute("UPDATE directory_version SET version = 7")

    caller = asyncio.ensure_future(store.transaction(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    resume.set()

    async def is_written() -> bool:
        return await rows(store.fetch("SELECT version FROM directory_version")) == [(7,)]

    await eventually(is_written)


async def test_an_error_of_the_data_is_not_unavailable(store: Database) -> None:
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await store.fetch("SELECT 9223372036854775807 + 1::bigint")
    with pytest.raises(asyncpg.DataError):
        await store.fetch("SELECT $1::bigint", 2**64)


async def test_a_statement_timeout_is_unavailable(store: Database) -> None:
    async def slow(c: Connection) -> None:
        await c.execute("SET LOCAL statement_timeout = 1")
        await c.execute("SELECT pg_sleep(60)")

    with pytest.raises(Unavailable):
        await store.transaction(slow)
