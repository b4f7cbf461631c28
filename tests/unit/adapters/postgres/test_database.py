"""What is PostgreSQL's own: migrations, errors, and a server that goes away and comes back."""

import asyncio
import gc
from contextlib import ExitStack
from typing import Any

import asyncpg
import pytest
from structlog.typing import EventDict

from harness.servers.postgres import Server, empty_database, fresh_database
from harness.servers.processes import frozen
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import ATTEMPTS, Again, Connection, Database
from scoreboard.domain.errors import Unavailable
from tests.unit.adapters.postgres.conftest import Process, rows

pytestmark = pytest.mark.slow


@pytest.fixture
async def store(process: Process) -> Database:
    return await process()


async def test_migrations_at_once_are_applied_once_and_again_not_at_all() -> None:
    url = await empty_database()
    applied = await asyncio.gather(*(database.migrate(url) for _ in range(4)))
    assert sorted(len(files) for files in applied)[:3] == [0, 0, 0]
    assert any(applied)
    assert await database.migrate(url) == []


async def test_a_migration_that_fails_leaves_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    url = await empty_database()
    with monkeypatch.context() as patched:
        patched.setitem(database.SQL, "add_migration", "SELECT 1 / 0 + $1::integer + length($2)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await database.migrate(url)
    assert await database.migrate(url)


async def test_a_commit_waits_for_the_disk_whatever_the_server_says(store: Database) -> None:
    await store.fetch(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
    )
    connection = await store.connection()
    try:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_a_server_that_does_not_sync_is_said(server: Server, logged: list[EventDict]) -> None:
    async with database.open_database(server.url) as store:
        await store.fetch("SELECT 1")
        assert logged == []
        await store.fetch("ALTER SYSTEM SET full_page_writes = off")
        await store.fetch("SELECT pg_reload_conf()")
    async with database.open_database(server.url, connections=1_000) as store:
        await store.fetch("SELECT 1")
        await store.fetch("ALTER SYSTEM RESET full_page_writes")
        await store.fetch("SELECT pg_reload_conf()")
    assert {entry["event"] for entry in logged} == {"database_not_durable", "too_few_connections"}


async def test_a_server_that_is_away_is_unavailable_and_is_back_without_more_ado(server: Server) -> None:
    async with database.open_database(await fresh_database(server.url)) as store:
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


async def test_a_server_that_is_silent_is_soon_waited_for_no_more(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen, it takes connections and answers nothing: what is asked first waits out its limit, the next a moment."""
    async with database.open_database(await fresh_database(server.url)) as store:
        await store.fetch("SELECT 1")
        asked = store._faults
        with frozen(server.pid), monkeypatch.context() as impatient:
            impatient.setattr(database, "SILENT_S", 0.2)
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1", within_s=0.2)
            assert asked.patience_s(60.0) == 0.2
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1")
            with pytest.raises(Unavailable):
                await store.transaction(lambda c: c.execute("DELETE FROM apps"))
        await eventually(lambda: answers(store))
        assert asked.patience_s(60.0) == 60.0


async def test_a_server_that_is_silent_is_left_all_the_same(server: Server) -> None:
    with ExitStack() as stack:
        async with database.open_database(await fresh_database(server.url)) as store:
            await store.fetch("SELECT 1")
            stack.enter_context(frozen(server.pid))


async def test_who_asks_a_silent_server_and_goes_away_leaves_nothing_behind(server: Server) -> None:
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with database.open_database(await fresh_database(server.url)) as store:
        await asyncio.gather(*(store.fetch("SELECT 1") for _ in range(2)))
        with frozen(server.pid):
            asking = asyncio.create_task(store.fetch("SELECT 2"))
            changing = asyncio.create_task(store.transaction(lambda c: c.execute("DELETE FROM apps"), within_s=0.5))
            await asyncio.sleep(0.1)  # until they are asked
            for one in (asking, changing, asking):  # by a timeout of its own, and again by the end of the process
                one.cancel()
                await asyncio.sleep(0)
            for one in (asking, changing):
                with pytest.raises(asyncio.CancelledError):
                    await one
            await eventually(lambda: store._faults.silent, "the transaction has failed")
        await eventually(lambda: answers(store))
    del asking, changing, one
    gc.collect()  # what was left tells it when it goes
    assert unheard == []


async def answers(store: Database) -> bool:
    try:
        return bool(await store.fetch("SELECT 1"))
    except Unavailable:
        return False


@pytest.mark.parametrize("url", ["postgresql://", "postgresql:///", "postgresql://a b/c"])
def test_a_url_that_names_no_database_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"not like postgresql://user:password@"):
        database.check_url(url)


async def test_an_outage_is_one_line_of_the_log_and_its_end_another(server: Server, logged: list[EventDict]) -> None:
    async with database.open_database(server.url) as store:
        server.stop()
        for _ in range(5):
            with pytest.raises(Unavailable):
                await store.fetch("SELECT 1")
        server.start()
        for _ in range(2):
            await store.fetch("SELECT 1")
    assert [entry["event"] for entry in logged] == ["storage_failed", "database_answers_again"]


async def test_a_connection_that_is_given_up_while_it_is_made_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SQL, "settings", "SELECT pg_sleep(60)")
    other = await asyncpg.connect(server.url)

    async def sleeping() -> bool:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return bool(await other.fetchval(asked) == 1)

    async with database.open_database(server.url) as store:
        making = asyncio.create_task(store.connection())
        await eventually(sleeping, "its settings are looked at")
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    await other.close()
    gc.collect()  # what was left open warns


async def test_a_database_can_be_opened_before_the_server_is_there(server: Server) -> None:
    server.stop()
    async with database.open_database(server.url) as store:
        with pytest.raises(Unavailable):
            await store.fetch("SELECT 1")
        server.start()
        assert await rows(store.fetch("SELECT 1")) == [(1,)]


async def test_what_is_tried_again_and_how_often(store: Database) -> None:
    tries = 0

    async def contended(c: Connection) -> int:
        nonlocal tries
        tries += 1
        await c.execute("INSERT INTO directory_version (version) VALUES (7)")
        if tries < 3:
            raise Again
        return tries

    assert await store.transaction(contended) == 3
    assert await rows(store.fetch("SELECT count(*) FROM directory_version WHERE version = 7")) == [(1,)]
    tries = -1_000
    with pytest.raises(Unavailable):
        await store.transaction(contended)
    assert tries == ATTEMPTS - 1_000


async def test_a_deadlock_is_tried_again(process: Process) -> None:
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


async def test_a_caller_that_goes_away_does_not_stop_its_transaction(store: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(c: Connection) -> None:
        begun.set()
        await go_on.wait()
        await c.execute("UPDATE directory_version SET version = 7")

    caller = asyncio.ensure_future(store.transaction(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()

    async def is_written() -> bool:
        return await rows(store.fetch("SELECT version FROM directory_version")) == [(7,)]

    await eventually(is_written)


async def test_a_statement_of_the_data_is_no_fault_of_the_server(store: Database) -> None:
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await store.fetch("SELECT 9223372036854775807 + 1::bigint")
    with pytest.raises(asyncpg.DataError):
        await store.fetch("SELECT $1::bigint", 2**64)


async def test_a_statement_that_takes_too_long_is_unavailable(store: Database) -> None:
    async def slow(c: Connection) -> None:
        await c.execute("SET LOCAL statement_timeout = 1")
        await c.execute("SELECT pg_sleep(60)")

    with pytest.raises(Unavailable):
        await store.transaction(slow)
