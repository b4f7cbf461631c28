"""PostgresDirectory: apps, boards and actions, all in memory and written through; players in the database.

A change bumps the version of the directory in its transaction and notifies; who hears it, or sees the version grow (it
looks every second, as a notification can be lost with its connection), reads all anew. The version says which of two
readings is the newer one.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec
import structlog

from scoreboard.adapters.postgres.database import (
    FAULTS,
    NUL,
    TRANSACTION_S,
    Connection,
    Database,
    Reading,
    describe_error,
    statements,
)
from scoreboard.application.ports.directory import AnythingChanged, BoardChanged, BoardGone, Change, PlayerChanged
from scoreboard.domain import codes
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.codes import CODES, Code
from scoreboard.domain.errors import Conflict, Unavailable
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

SQL = statements("directory.sql")
CHANNEL = "scoreboard_directory"
LOOK_EVERY_S = 1.0
RETRY_S, RETRY_MOST_S = 0.1, 5.0  # before the connection is made again; it doubles
DELETION_S = 3_600.0  # a board of ten million standings takes minutes
_IDENTITY = ("pk", "app", "slug")

Step: TypeAlias = tuple[str, tuple[object, ...]]
"""The name of a statement, and its values."""


class _Contents(NamedTuple):
    """All that is kept in memory, of one version."""

    version: int
    apps: dict[str, App]
    boards: dict[tuple[str, str], Board]
    actions: dict[tuple[str, str], Action]


class PostgresDirectory:
    """`run` is to be running from `start` on: it takes over what other processes change. Lists of players are read from
    `reading`."""

    def __init__(self, database: Database, reading: Reading | None = None) -> None:
        self._database = database
        self._reading = reading or database
        self._held = _Contents(-1, {}, {}, {})
        self._heard: list[Callable[[Change], None]] = []
        self._name = secrets.token_hex(8)  # of this process, to know its own notifications
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Read what is kept in memory."""
        ((version, *rows),) = await self._database.fetch(SQL["everything"])
        self._take(_contents(version, *rows))

    def listen(self, heard: Callable[[Change], None]) -> None:
        self._heard.append(heard)

    async def run(self) -> None:
        """Follow what other processes change, for ever; through failures of the server, each of which it logs once."""
        pause_s, lost = RETRY_S, False
        while True:
            try:
                connection = await self._database.connection()
                try:
                    await self._listen_on(connection)
                    if lost:
                        self._tell(AnythingChanged())
                        log.info("directory_followed_again")
                    pause_s = RETRY_S
                    await self._follow(connection)
                finally:
                    connection.terminate()
            except (Unavailable, *FAULTS) as error:
                if not lost:
                    log.warning("directory_not_followed", error=describe_error(error))
                lost = True
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, RETRY_MOST_S)

    async def _listen_on(self, connection: Connection) -> None:
        await connection.add_listener(CHANNEL, self._notified)
        connection.add_termination_listener(lambda _: self._wake.set())
        self._held = self._held._replace(version=-1)  # a server that was restored may have gone back
        await self._read_on(connection)

    async def _follow(self, connection: Connection) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if await connection.fetchval(SQL["version"]) != self._held.version:
                await self._read_on(connection)

    async def _read_on(self, connection: Connection) -> None:
        ((version, *rows),) = await connection.fetch(SQL["everything"])
        self._take(_contents(version, *rows))

    def _notified(self, _: object, __: int, ___: str, payload: object) -> None:
        who, app, player = msgspec.json.decode(str(payload), type=tuple[str, str, str])
        if who == self._name:
            return
        if not app:
            self._wake.set()
        elif app in self._held.apps:
            self._tell(PlayerChanged(self._held.apps[app], player))

    def _take(self, new: _Contents, own: Callable[[Board], bool] = lambda _: False) -> None:
        """Hold these contents from now on, unless newer ones are held; tell what is changed in them but for one's `own`
        changes."""
        if new.version <= self._held.version:
            return
        old, self._held = self._held, new
        before = {board.pk: board for board in old.boards.values()}
        now = {board.pk: board for board in new.boards.values()}
        for pk, board in before.items():
            if pk not in now and not own(board):
                self._tell(BoardGone(pk))
        for pk, board in now.items():
            if before.get(pk) != board and not own(board):
                self._tell(BoardChanged(board))

    def _tell(self, change: Change) -> None:
        for heard in self._heard:
            heard(change)

    # Apps

    async def apps(self) -> list[App]:
        return sorted(self._held.apps.values(), key=lambda app: app.slug)

    async def app(self, app: str) -> App:
        found = self._held.apps.get(app)
        if found is None:
            raise codes.APP_NOT_FOUND.error("there is no such app")
        return found

    async def create_app(self, app: App) -> App:
        pk = await self._add("add_app", (app.slug, app.name, app.time_zone), codes.APP_EXISTS, _nothing)
        return replace(app, pk=pk)

    async def update_app(self, app: App) -> None:
        await self._change(_of(app), ("update_app", (app.pk, app.name, app.time_zone)))

    async def delete_app(self, app: App) -> None:
        names = ("hold_app_boards", "delete_app_standings", "delete_app_receipts", "delete_app_uses", "delete_app")
        await self._change(_of(app), *((name, (app.pk,)) for name in names))

    # Boards

    async def boards(self, app: App) -> list[Board]:
        return sorted((b for b in self._held.boards.values() if b.app.slug == app.slug), key=lambda board: board.slug)

    async def board(self, app: str, board: str) -> Board:
        found = self._held.boards.get((app, board))
        if found is None:
            await self.app(app)
            raise codes.BOARD_NOT_FOUND.error("this app has no such board")
        return found

    async def create_board(self, board: Board) -> Board:
        row = (board.app.pk, board.slug, _definition(board))

        def own(one: Board) -> bool:
            return (one.app.pk, one.slug) == (board.app.pk, board.slug)

        return replace(board, pk=await self._add("add_board", row, codes.BOARD_EXISTS, own))

    async def update_board(self, board: Board) -> None:
        await self._change(_this(board), ("update_board", (board.pk, _definition(board))))

    async def delete_board(self, board: Board) -> None:
        names = ("hold_board", "delete_board_standings", "delete_board")
        await self._change(_this(board), *((name, (board.pk,)) for name in names))

    # Actions

    async def actions(self, app: App) -> list[Action]:
        return sorted(
            (a for a in self._held.actions.values() if a.app.slug == app.slug), key=lambda action: action.slug
        )

    async def action(self, app: str, action: str) -> Action:
        found = self._held.actions.get((app, action))
        if found is None:
            await self.app(app)
            raise codes.ACTION_NOT_FOUND.error("this app has no such action")
        return found

    async def create_action(self, action: Action) -> Action:
        row = (action.app.pk, action.slug, action.points, action.per_day, action.cooldown_s)
        return replace(action, pk=await self._add("add_action", row, codes.ACTION_EXISTS, _nothing))

    async def update_action(self, action: Action) -> None:
        row = (action.pk, action.points, action.per_day, action.cooldown_s)
        await self._change(_nothing, ("update_action", row))

    async def delete_action(self, action: Action) -> None:
        await self._change(_nothing, ("delete_action_uses", (action.pk,)), ("delete_action", (action.pk,)))

    # Players

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        possible = after.partition(NUL)[0]  # before the same ids
        return [Player(*row) for row in await self._reading.fetch(SQL["players_after"], app.pk, possible, limit)]

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        possible = [player for player in players if NUL not in player]
        rows = await self._database.fetch(SQL["find_players"], app.pk, possible) if possible else []
        return {row[0]: Player(*row) for row in rows}

    async def create_player(self, app: App, player: Player) -> None:
        row = (app.pk, player.id, player.username, player.avatar_url, player.email, player.region)
        with _refusing(codes.PLAYER_EXISTS):
            await self._put_player(app, player, "add_player", row)

    async def update_player(self, app: App, player: Player) -> None:
        row = (app.pk, player.id, player.username, player.avatar_url, player.email, player.region)
        await self._put_player(app, player, "update_player", row)

    async def _put_player(self, app: App, player: Player, statement: str, row: tuple[object, ...]) -> None:
        async def work(c: Connection) -> None:
            if not await c.fetch(SQL[statement], *row):
                raise codes.PLAYER_NOT_FOUND.error("this player was deleted meanwhile")
            await self._notify(c, app.slug, player.id)

        await self._database.transaction(work)

    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        who = (app.pk, player.id)

        async def delete(c: Connection) -> list[tuple[TableKey, int]]:
            tables = []
            for (pk,) in await c.fetch(SQL["hold_player"], *who):  # waits for every batch that has the player
                rows = await c.fetch(SQL["tables_of_player"], app.pk, pk)
                tables = [(TableKey(*key), version) for *key, version in rows]
                await c.fetch(SQL["delete_player_standings"], app.pk, pk)
                await c.fetch(SQL["delete_player"], pk)
            for statement in ("delete_player_uses", "delete_player_refusals"):
                await c.fetch(SQL[statement], *who)
            await self._notify(c, app.slug, player.id)
            return tables

        return await self._database.transaction(delete, within_s=DELETION_S)

    # Writing

    async def _add(
        self, statement: str, row: tuple[object, ...], code: Code[Conflict], own: Callable[[Board], bool]
    ) -> int:
        with _refusing(code):
            return await self._change(own, (statement, row))

    async def _change(self, own: Callable[[Board], bool], *steps: Step) -> int:
        """Several steps, of which the last is of one row, whose pk is returned; NotFound, and none of them, when
        that is gone. Boards for which `own` holds are changed by this."""

        async def work(c: Connection) -> tuple[int, _Contents]:
            if len(steps) > 1:
                await c.execute("SET LOCAL statement_timeout = 0")
            for statement, row in steps:
                rows = await c.fetch(SQL[statement], *row, timeout=DELETION_S)
            if not rows:
                kind = statement.rpartition("_")[2]
                raise CODES[f"{kind}_not_found"].error(f"this {kind} was deleted in the meantime")
            await c.fetch(SQL["changed"])
            await self._notify(c, "", "")
            ((version, *contents),) = await c.fetch(SQL["everything"])
            return rows[0][0], _contents(version, *contents)

        within_s = DELETION_S if len(steps) > 1 else TRANSACTION_S
        pk, contents = await self._database.transaction(work, within_s=within_s)
        self._take(contents, own)
        return pk

    async def _notify(self, c: Connection, app: str, player: str) -> None:
        await c.fetch(SQL["tell"], CHANNEL, msgspec.json.encode((self._name, app, player)).decode())


@contextmanager
def _refusing(code: Code[Conflict]) -> Iterator[None]:
    """What may not be made, because it is there or its app is not, is refused by its name."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise codes.APP_NOT_FOUND.error("there is no such app") from error
    except asyncpg.UniqueViolationError as error:
        raise code.error("this id is already in use") from error


def _nothing(_: Board) -> bool:
    return False


def _of(app: App) -> Callable[[Board], bool]:
    return lambda board: board.app.pk == app.pk


def _this(board: Board) -> Callable[[Board], bool]:
    return lambda one: one.pk == board.pk


def _contents(version: int, apps: list[Any], boards: list[Any], actions: list[Any]) -> _Contents:
    by_pk = {pk: App(pk, app, name, time_zone) for pk, app, name, time_zone in apps}
    made = [_board(pk, by_pk[app], definition) for pk, app, definition in boards]
    known = [Action(pk, by_pk[app], *rest) for pk, app, *rest in actions]
    return _Contents(
        version,
        {app.slug: app for app in by_pk.values()},
        {(board.app.slug, board.slug): board for board in made},
        {(action.app.slug, action.slug): action for action in known},
    )


def _definition(board: Board) -> str:
    rules = {f.name: getattr(board, f.name) for f in fields(board) if f.name not in _IDENTITY}
    return msgspec.json.encode({"board": board.slug, **rules}).decode()


@lru_cache(maxsize=10_000)
def _board(pk: int, app: App, definition: str) -> Board:
    rules = msgspec.json.decode(definition)
    return msgspec.convert({**rules, "pk": pk, "app": app, "slug": rules.pop("board")}, Board)
