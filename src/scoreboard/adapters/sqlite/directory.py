"""SqliteDirectory: apps, boards and actions, all in memory and written through; players in the database."""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace

import msgspec

from scoreboard.adapters.sqlite.database import Database, statements
from scoreboard.application.ports.directory import Change
from scoreboard.domain import codes
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.codes import CODES, Code
from scoreboard.domain.errors import Conflict
from scoreboard.domain.submission import TableKey

SQL = statements("directory.sql")
_IDENTITY = ("pk", "app", "slug")


class SqliteDirectory:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._apps: dict[str, App] = {}
        self._boards: dict[tuple[str, str], Board] = {}
        self._actions: dict[tuple[str, str], Action] = {}

    async def start(self) -> None:
        """Read what is kept in memory."""

        apps, boards, actions = await self._database.read(
            lambda c: [c.execute(SQL[name]).fetchall() for name in ("all_apps", "all_boards", "all_actions")]
        )
        by_pk = {pk: App(pk, app, name, time_zone) for pk, app, name, time_zone in apps}
        self._apps = {app.slug: app for app in by_pk.values()}
        for pk, app_pk, definition in boards:
            board = _board(pk, by_pk[app_pk], definition)
            self._boards[board.app.slug, board.slug] = board
        for pk, app_pk, action, points, per_day, cooldown_s in actions:
            app = by_pk[app_pk]
            self._actions[app.slug, action] = Action(pk, app, action, points, per_day, cooldown_s)

    def listen(self, heard: Callable[[Change], None]) -> None:
        """There is no other process: it has the folder locked."""

    # Apps

    async def apps(self) -> list[App]:
        return sorted(self._apps.values(), key=lambda app: app.slug)

    async def app(self, app: str) -> App:
        found = self._apps.get(app)
        if found is None:
            raise codes.APP_NOT_FOUND.error("there is no such app")
        return found

    async def create_app(self, app: App) -> App:
        pk = await self._add("add_app", (app.slug, app.name, app.time_zone), codes.APP_EXISTS)
        created = self._apps[app.slug] = replace(app, pk=pk)
        return created

    async def update_app(self, app: App) -> None:
        await self._change(("update_app", (app.pk, app.name, app.time_zone)))
        self._apps[app.slug] = app
        self._boards.update({k: replace(b, app=app) for k, b in self._boards.items() if k[0] == app.slug})
        self._actions.update({k: replace(a, app=app) for k, a in self._actions.items() if k[0] == app.slug})

    async def delete_app(self, app: App) -> None:
        deletions = ("delete_app_standings", "delete_app_receipts", "delete_app")
        await self._change(*((statement, (app.pk,)) for statement in deletions))
        self._apps.pop(app.slug, None)
        self._boards = {key: board for key, board in self._boards.items() if key[0] != app.slug}
        self._actions = {key: action for key, action in self._actions.items() if key[0] != app.slug}

    # Boards

    async def boards(self, app: App) -> list[Board]:
        return sorted((b for b in self._boards.values() if b.app.slug == app.slug), key=lambda board: board.slug)

    async def board(self, app: str, board: str) -> Board:
        found = self._boards.get((app, board))
        if found is None:
            await self.app(app)
            raise codes.BOARD_NOT_FOUND.error("this app has no such board")
        return found

    async def create_board(self, board: Board) -> Board:
        row = (board.app.pk, board.slug, _definition(board))
        created = replace(board, pk=await self._add("add_board", row, codes.BOARD_EXISTS))
        self._boards[board.app.slug, board.slug] = created
        return created

    async def update_board(self, board: Board) -> None:
        await self._change(("update_board", (board.pk, _definition(board))))
        self._boards[board.app.slug, board.slug] = board

    async def delete_board(self, board: Board) -> None:
        await self._change(("delete_board_standings", (board.pk,)), ("delete_board", (board.pk,)))
        self._boards.pop((board.app.slug, board.slug), None)

    # Actions

    async def actions(self, app: App) -> list[Action]:
        return sorted((a for a in self._actions.values() if a.app.slug == app.slug), key=lambda action: action.slug)

    async def action(self, app: str, action: str) -> Action:
        found = self._actions.get((app, action))
        if found is None:
            await self.app(app)
            raise codes.ACTION_NOT_FOUND.error("this app has no such action")
        return found

    async def create_action(self, action: Action) -> Action:
        row = (action.app.pk, action.slug, action.points, action.per_day, action.cooldown_s)
        created = replace(action, pk=await self._add("add_action", row, codes.ACTION_EXISTS))
        self._actions[action.app.slug, action.slug] = created
        return created

    async def update_action(self, action: Action) -> None:
        row = (action.pk, action.points, action.per_day, action.cooldown_s)
        await self._change(("update_action", row))
        self._actions[action.app.slug, action.slug] = action

    async def delete_action(self, action: Action) -> None:
        await self._change(("delete_action", (action.pk,)))
        self._actions.pop((action.app.slug, action.slug), None)

    # Players

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        rows = await self._database.read(lambda c: c.execute(SQL["players_after"], (app.pk, after, limit)).fetchall())
        return [Player(*row) for row in rows]

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        if len(players) == 1:
            (player,) = players
            rows = self._database.point(SQL["find_player"], player, app.pk)
        else:
            wanted = msgspec.json.encode(list(players)).decode()
            rows = self._database.point(SQL["find_players"], wanted, app.pk)
        return {row[0]: Player(*row) for row in rows}

    async def create_player(self, app: App, player: Player) -> None:
        row = (app.pk, player.id, player.username, player.avatar_url, player.email, player.region)
        await self._insert(lambda c: c.execute(SQL["add_player"], row).lastrowid, codes.PLAYER_EXISTS)

    async def update_player(self, app: App, player: Player) -> None:
        row = (app.pk, player.id, player.username, player.avatar_url, player.email, player.region)
        await self._change(("update_player", row))

    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        who = (app.pk, player.id)

        def delete(c: sqlite3.Connection) -> list[tuple[TableKey, int]]:
            rows = c.execute(SQL["tables_of_player"], who).fetchall()
            for statement in (
                "delete_player_standings",
                "delete_player_refusals",
                "delete_player",
            ):
                c.execute(SQL[statement], who)
            return [(TableKey(board, season, region), version) for board, season, region, version in rows]

        return await self._database.write(delete)

    # Writing

    async def _add(self, statement: str, row: tuple[object, ...], code: Code[Conflict]) -> int:
        return int(await self._insert(lambda c: c.execute(SQL[statement], row).fetchone()[0], code) or 0)

    async def _insert(self, insert: Callable[[sqlite3.Connection], int | None], code: Code[Conflict]) -> int | None:
        try:
            return await self._database.write(insert)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise codes.APP_NOT_FOUND.error("there is no such app") from error
            raise code.error("this id is already in use") from error

    async def _change(self, *changes: tuple[str, tuple[object, ...]]) -> None:
        """Several changes, of which the last is of one row; NotFound, and none of them, when that is gone."""

        def work(c: sqlite3.Connection) -> None:
            for statement, row in changes:
                touched = c.execute(SQL[statement], row).rowcount
            if not touched:
                kind = statement.rpartition("_")[2]
                raise CODES[f"{kind}_not_found"].error(f"this {kind} was deleted in the meantime")

        await self._database.write(work)


def _definition(board: Board) -> str:
    rules = {f.name: getattr(board, f.name) for f in fields(board) if f.name not in _IDENTITY}
    return msgspec.json.encode({"board": board.slug, **rules}).decode()


def _board(pk: int, app: App, definition: str) -> Board:
    rules = msgspec.json.decode(definition)
    return msgspec.convert({**rules, "pk": pk, "app": app, "slug": rules.pop("board")}, Board)
