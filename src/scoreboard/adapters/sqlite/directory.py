"""The directory in SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import msgspec

from scoreboard.adapters.sql.directory import (
    Contents,
    SqlDirectory,
    Step,
    already_exists,
    no_such_app,
    to_contents,
    was_deleted,
)
from scoreboard.adapters.sqlite.database import Database, statements
from scoreboard.application.ports.directory import Change
from scoreboard.domain.board import App, Player
from scoreboard.domain.submission import TableKey

SQL = statements("directory.sql")
T = TypeVar("T")
DELETIONS = {
    "app": ("delete_app_standings", "delete_app_receipts", "delete_app"),
    "board": ("delete_board_standings", "delete_board"),
    "action": ("delete_action",),
}


class SqliteDirectory(SqlDirectory):
    """The only process that uses the data folder changes the directory."""

    def __init__(self, database: Database) -> None:
        super().__init__(DELETIONS)
        self._database = database

    async def start(self) -> None:
        """Fill the cache."""
        self._contents = await self._database.read(_read_contents)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Ignore the listener: no other process can change the directory."""

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        return [Player(*row) for row in await self._database.fetch(SQL["players_after"], app.pk, after, limit)]

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        if len(players) == 1:
            rows = self._database.point(SQL["find_player"], *players, app.pk)
        else:
            rows = self._database.point(SQL["find_players"], msgspec.json.encode(list(players)).decode(), app.pk)
        return {row[0]: Player(*row) for row in rows}

    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        key = app.pk, player.id

        def delete(c: sqlite3.Connection) -> list[tuple[TableKey, int]]:
            rows = c.execute(SQL["tables_of_player"], key).fetchall()
            for statement in ("delete_player_standings", "delete_player_refusals", "delete_player"):
                c.execute(SQL[statement], key)
            return [(TableKey(board, season, region), version) for board, season, region, version in rows]

        return await self._database.write(delete)

    async def _run(self, steps: tuple[Step, ...]) -> tuple[int, Contents]:
        def work(c: sqlite3.Connection) -> tuple[int, Contents]:
            for statement, values in steps:
                rows = c.execute(SQL[statement], values).fetchall()
            if not rows:
                raise was_deleted(statement)
            return rows[0][0], _read_contents(c)

        return await self._write(steps[-1][0], work)

    async def _put_player(self, app: App, player: str, step: Step) -> None:
        def work(c: sqlite3.Connection) -> None:
            if not c.execute(SQL[step[0]], step[1]).rowcount:
                raise was_deleted(step[0])

        await self._write(step[0], work)

    async def _write(self, statement: str, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._database.write(work)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise no_such_app() from error
            raise already_exists(statement) from error


def _read_contents(c: sqlite3.Connection) -> Contents:
    return to_contents(0, *(c.execute(SQL[name]) for name in ("all_apps", "all_boards", "all_actions")))
