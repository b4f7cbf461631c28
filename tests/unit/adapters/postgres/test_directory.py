"""Changes of other processes, and the cache while the server is down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from harness.servers.postgres import Server, fresh_database, open_database
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.directory import CHANNEL, DELETION_S, SQL, PostgresDirectory
from scoreboard.adapters.postgres.timeouts import DEFAULTS
from scoreboard.application.ports.directory import AnythingChanged, BoardChanged, BoardGone, Change, PlayerChanged
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.errors import NotFound, Unavailable
from tests.unit.adapters.postgres.conftest import Process

pytestmark = pytest.mark.slow


class Following:
    """A directory that follows the others, and the changes it published."""

    def __init__(self, store: Database) -> None:
        self.directory = PostgresDirectory(store)
        self.published: list[Change] = []
        self.directory.listen(self.published.append)


@asynccontextmanager
async def following(store: Database) -> AsyncIterator[Following]:
    other = Following(store)
    await other.directory.start()
    running = asyncio.ensure_future(other.directory.run())
    await eventually(lambda: listens(store), "it listens")
    try:
        yield other
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def listens(store: Database) -> bool:
    return bool(
        await store.fetch(
            "SELECT FROM pg_stat_activity WHERE query = $1 AND datname = current_database()", SQL["contents"]
        )
    )


async def test_changes_of_another_process_are_visible_and_published(process: Process) -> None:
    own = PostgresDirectory(await process())
    async with following(await process()) as other:
        app = await own.create_app(App(0, "game", "Game"))
        board = await own.create_board(Board(0, app, "main", "Main"))
        await own.create_action(Action(0, app, "win", 5))
        await own.create_player(app, Player("ann", "Ann"))
        await eventually(lambda: BoardChanged(board) in other.published)
        await eventually(lambda: PlayerChanged(app, "ann") in other.published)
        assert await other.directory.board("game", "main") == board

        async def has_the_action() -> bool:
            return bool(await other.directory.actions(app))

        await eventually(has_the_action)
        renamed = replace(board, name="New")
        await own.update_board(renamed)
        await eventually(lambda: BoardChanged(renamed) in other.published)
        assert await other.directory.board("game", "main") == renamed
        await own.update_player(app, Player("ann", "Bea"))
        await own.delete_player(app, Player("ann", "Bea"))
        await eventually(lambda: other.published.count(PlayerChanged(app, "ann")) == 3)
        await own.delete_app(app)
        await eventually(lambda: BoardGone(board.pk) in other.published)
        with pytest.raises(NotFound):
            await other.directory.app("game")
    assert AnythingChanged() not in other.published


async def test_own_changes_are_not_published(process: Process) -> None:
    another = PostgresDirectory(await process())
    async with following(await process()) as own:
        app = await own.directory.create_app(App(0, "game", "Game"))
        board = await own.directory.create_board(Board(0, app, "main", "Main"))
        await own.directory.create_player(app, Player("ann", "Ann"))
        await own.directory.update_board(replace(board, name="New"))
        await own.directory.delete_board(board)
        await another.start()
        theirs = await another.create_board(Board(0, app, "theirs", "Theirs"))
        await eventually(lambda: own.published)
        assert own.published == [BoardChanged(theirs)]


async def test_concurrent_changes_are_visible_to_both_processes(process: Process) -> None:
    async with following(await process()) as one, following(await process()) as other:
        app = await one.directory.create_app(App(0, "game", "Game"))
        made = await asyncio.gather(
            *((one, other)[n % 2].directory.create_board(Board(0, app, f"b{n}", "B")) for n in range(10))
        )
        for each in (one, other):

            async def has_all(each: Following = each) -> bool:
                return await each.directory.boards(app) == made

            await eventually(has_all)


async def test_a_change_without_a_notification_is_found(process: Process) -> None:
    store = await process()
    async with following(await process()) as other:
        await store.fetch("INSERT INTO apps (app, name, time_zone) VALUES ('game', 'Game', 'UTC')")
        await store.fetch(SQL["increment_version"])
        await eventually(other.directory.apps)


async def test_a_lost_connection_is_restored_and_the_gap_published(process: Process) -> None:
    own = PostgresDirectory(await process())
    store = await process()
    async with following(await process()) as other:
        app = await own.create_app(App(0, "game", "Game"))
        await eventually(other.directory.apps)
        await store.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await eventually(lambda: AnythingChanged() in other.published)

        async def changed() -> bool:
            with contextlib.suppress(Unavailable):
                await own.update_app(replace(app, name="New"))
                return True
            return False

        await eventually(changed)

        async def is_seen() -> bool:
            return (await other.directory.app("game")).name == "New"

        await eventually(is_seen)


async def test_the_cache_serves_while_the_server_is_down(server: Server) -> None:
    async with open_database(await fresh_database(server.url)) as store, following(store) as here:
        app = await here.directory.create_app(App(0, "game", "Game"))
        board = await here.directory.create_board(Board(0, app, "main", "Main"))
        server.kill()
        assert await here.directory.board("game", "main") == board
        with pytest.raises(Unavailable):
            await here.directory.update_board(board)
        with pytest.raises(Unavailable):
            await here.directory.find_players(app, ["ann"])
        server.start()
        await eventually(lambda: AnythingChanged() in here.published)
        await here.directory.update_board(replace(board, name="New"))


async def test_a_server_restored_to_an_older_state_is_read_again(process: Process) -> None:
    store = await process()
    async with following(store) as here:
        await here.directory.create_app(App(0, "game", "Game"))
        await store.fetch("DELETE FROM apps")
        await store.fetch("UPDATE directory_version SET version = 0")
        await store.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

        async def is_empty() -> bool:
            return await here.directory.apps() == []

        await eventually(is_empty)


async def test_unknown_notifications_are_ignored(process: Process) -> None:
    store = await process()
    async with following(store) as here:
        await store.fetch(SQL["notify"], CHANNEL, '["someone","no such app","ann"]')
        await here.directory.create_app(App(0, "game", "Game"))
        assert here.published == []


async def test_a_deletion_may_take_longer_than_an_update(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleting a board with millions of standings takes more than seconds."""
    store = await process()
    directory = PostgresDirectory(store)
    await directory.start()
    app = await directory.create_app(App(0, "game", "Game", "UTC"))
    limits: list[float] = []
    once = Database.run_once

    async def recording(store: Database, work: database.Work[object], within_s: float) -> object:
        limits.append(within_s)
        return await once(store, work, within_s)

    monkeypatch.setattr(Database, "run_once", recording)
    await directory.delete_app(app)
    assert limits == [DELETION_S]
    assert DEFAULTS.transaction_s < DELETION_S
