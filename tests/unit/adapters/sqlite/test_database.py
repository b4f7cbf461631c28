import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database, folder_lock, migrate
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.domain.errors import Unavailable
from tests.making import APP, NOON, board, event, table

SETTINGS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "wal_autocheckpoint": 0}


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def failure(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode = code
    return error


class Failing:
    """A connection on which every statement fails."""

    def execute(self, *_: object) -> None:
        raise failure(sqlite3.SQLITE_IOERR)

    def close(self) -> None:
        return None


class TestDurability:
    async def test_every_connection_has_the_settings_that_survive_power_loss(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connections: list[sqlite3.Connection] = []
        connect = database.connect

        def recording(path: Path, cache_kib: int = 2_048) -> sqlite3.Connection:
            connections.append(connect(path, cache_kib))
            return connections[-1]

        monkeypatch.setattr(database, "connect", recording)
        store = Database(tmp_path / "scoreboard.db")
        try:
            while len(connections) < 4:  # the checkpointing thread opens its own
                await store.read(lambda _: None)
            assert {store.writer, store.reader, store.points} < set(connections)
            for connection in connections:
                assert {name: pragma(connection, name) for name in SETTINGS} == SETTINGS
        finally:
            await store.close()

    async def test_a_transaction_is_all_or_nothing(self, store: Database) -> None:
        def half(c: sqlite3.Connection) -> None:
            c.execute("INSERT INTO apps (app, name, time_zone) VALUES ('a', 'A', 'UTC')")
            raise ValueError("half way")

        with pytest.raises(ValueError, match="half way"):
            await store.write(half)
        assert await store.read(lambda c: c.execute("SELECT count(*) FROM apps").fetchone()) == (0,)

    async def test_foreign_keys_hold(self, store: Database) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            await store.write(lambda c: c.execute("INSERT INTO players (app, player) VALUES (9, 'ann')"))


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (sqlite3.SQLITE_FULL, "storage_full"),
            (sqlite3.SQLITE_BUSY, "storage_failed"),
            (sqlite3.SQLITE_IOERR | 3 << 8, "storage_failed"),
            (sqlite3.SQLITE_READONLY, "storage_failed"),
        ],
    )
    async def test_failures_of_the_machine_are_unavailable(self, store: Database, code: int, expected: str) -> None:
        def work(_: sqlite3.Connection) -> None:
            raise failure(code)

        for attempt in (store.write, store.read):
            with pytest.raises(Unavailable) as raised:
                await attempt(work)
            assert raised.value.code == expected
            assert raised.value.retry_after_s

    @pytest.mark.parametrize(
        "read",
        [
            lambda ledger, _: ledger.receipts(APP, "server:one", ["k"]),
            lambda ledger, _: ledger.outcome(APP, event(NOON)),
            lambda ledger, _: ledger.standing(table(board()), APP, "ann"),
            lambda _, directory: directory.find_players(APP, ["ann"]),
            lambda _, directory: directory.find_players(APP, ["ann", "bob"]),
        ],
        ids=["receipts", "outcome", "standing", "find_player", "find_players"],
    )
    async def test_failures_of_point_reads_are_unavailable(
        self, store: Database, read: Callable[[SqliteLedger, SqliteDirectory], Awaitable[object]]
    ) -> None:
        ledger, directory = SqliteLedger(store), SqliteDirectory(store)
        ledger.credentials[APP.pk, "server:one"] = 1
        points, store.points = store.points, Failing()  # type: ignore[assignment]  # a fault
        try:
            with pytest.raises(Unavailable):
                await read(ledger, directory)
        finally:
            store.points = points

    async def test_errors_of_the_data_are_unchanged(self, store: Database) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            await store.write(lambda c: c.execute("INSERT INTO boards (app, board, definition) VALUES (1, 'b', '')"))


class TestMigrations:
    def test_each_is_applied_once(self, tmp_path: Path) -> None:
        path = tmp_path / "scoreboard.db"
        assert migrate(path)[0] == "0001_start.sql"
        assert migrate(path) == []

    def test_a_failed_migration_leaves_the_schema_unchanged(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "0001_good.sql").write_text("CREATE TABLE kept (x);")
        (tmp_path / "0002_bad.sql").write_text("CREATE TABLE gone (x);\nCREATE TABLE kept (x);")
        monkeypatch.setattr(database.FILES, "folder", tmp_path)
        path = tmp_path / "scoreboard.db"
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError):
                migrate(path)
        connection = sqlite3.connect(path)
        try:
            assert pragma(connection, "user_version") == 1
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]
        finally:
            connection.close()


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "scoreboard.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE more (n)")
        files = list(tmp_path.iterdir())
        assert len(files) > 1, "the log is a separate file"
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_one_process_owns_a_data_folder(tmp_path: Path) -> None:
    held = folder_lock(tmp_path)
    with pytest.raises(BlockingIOError):
        folder_lock(tmp_path)
    os.close(held)
    os.close(folder_lock(tmp_path))
