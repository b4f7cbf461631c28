"""The directory in PostgreSQL.

A change increments the version of the directory in its transaction and notifies the other processes. They read the
contents again when a notification arrives. Notifications can be lost with their connection, so processes also poll the
version every second. The version orders two readings of the contents.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import asyncpg
import msgspec
import structlog

from scoreboard.adapters.postgres.database import (
    FAULTS,
    NUL,
    Connection,
    Database,
    Reader,
    Work,
    describe_error,
    statements,
)
from scoreboard.adapters.sql.directory import (
    BoardFilter,
    Contents,
    SqlDirectory,
    Step,
    already_exists,
    no_such_app,
    to_contents,
    was_deleted,
)
from scoreboard.application.ports.directory import AnythingChanged, BoardChanged, BoardGone, Change, PlayerChanged
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain.board import App, Player
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

SQL = statements("directory.sql")
T = TypeVar("T")
CHANNEL = "scoreboard_directory"
POLL_S = 1.0
RETRIES = Backoff(first_s=0.1, longest_s=5.0)
DELETION_S = 3_600.0  # Deleting a board of ten million standings takes minutes.
DELETIONS = {
    "app": ("lock_app_boards", "delete_app_standings", "delete_app_receipts", "delete_app_uses", "delete_app"),
    "board": ("lock_board", "delete_board_standings", "delete_board"),
    "action": ("delete_action_uses", "delete_action"),
}


class PostgresDirectory(SqlDirectory):
    """A directory that several processes change.

    `run` must run from `start` on: it applies the changes of other processes. Lists of players are read from `reader`.
    """

    def __init__(self, database: Database, reader: Reader | None = None) -> None:
        super().__init__(DELETIONS)
        self._database = database
        self._reader = reader or database
        self._listeners: list[Callable[[Change], None]] = []
        self._process = secrets.token_hex(8)  # to recognize the notifications of this process
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Fill the cache."""
        await self._read_contents(self._database)

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    async def run(self) -> None:
        """Apply the changes of other processes until cancelled; log each outage once."""
        failures = 0
        while True:
            try:
                connection = await self._database.connection()
                try:
                    await connection.add_listener(CHANNEL, self._on_notification)
                    connection.add_termination_listener(lambda _: self._changed.set())
                    # A server that was restored from a backup may have an older version.
                    self._contents = self._contents._replace(version=-1)
                    await self._read_contents(connection)
                    if failures:
                        self._publish(AnythingChanged())
                        log.info("directory_listener_restored")
                    failures = 0
                    await self._poll(connection)
                finally:
                    connection.terminate()
            except (Unavailable, *FAULTS) as error:
                if not failures:
                    log.warning("directory_listener_lost", error=describe_error(error))
                failures += 1
            await asyncio.sleep(RETRIES.pause_s(failures))

    async def _poll(self, connection: Connection) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if await connection.fetchval(SQL["version"]) != self._contents.version:
                await self._read_contents(connection)

    async def _read_contents(self, reader: "Connection | Database") -> None:
        ((version, *rows),) = await reader.fetch(SQL["contents"])
        self._refresh(to_contents(version, *rows), lambda _: False)

    def _on_notification(self, _: object, __: int, ___: str, payload: object) -> None:
        process, app, player = msgspec.json.decode(str(payload), type=tuple[str, str, str])
        if process == self._process:
            return
        if not app:
            self._changed.set()
        elif app in self._contents.apps:
            self._publish(PlayerChanged(self._contents.apps[app], player))

    def _refresh(self, contents: Contents, own: BoardFilter) -> None:
        """Replace the cache unless it is newer, and publish the changes of other boards."""
        if contents.version <= self._contents.version:
            return
        before = {board.pk: board for board in self._contents.boards.values()}
        after = {board.pk: board for board in contents.boards.values()}
        super()._refresh(contents, own)
        for pk, board in before.items():
            if pk not in after and not own(board):
                self._publish(BoardGone(pk))
        for pk, board in after.items():
            if before.get(pk) != board and not own(board):
                self._publish(BoardChanged(board))

    def _publish(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        start = after.partition(NUL)[0]  # The same ids follow it.
        return [Player(*row) for row in await self._reader.fetch(SQL["players_after"], app.pk, start, limit)]

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        valid = [player for player in players if NUL not in player]
        rows = await self._database.fetch(SQL["find_players"], app.pk, valid) if valid else []
        return {row[0]: Player(*row) for row in rows}

    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        async def delete(c: Connection) -> list[tuple[TableKey, int]]:
            tables = []
            # The lock waits for every batch that contains the player.
            for (pk,) in await c.fetch(SQL["lock_player"], app.pk, player.id):
                rows = await c.fetch(SQL["tables_of_player"], app.pk, pk)
                tables = [(TableKey(*key), version) for *key, version in rows]
                await c.fetch(SQL["delete_player_standings"], app.pk, pk)
                await c.fetch(SQL["delete_player"], pk)
            for statement in ("delete_player_uses", "delete_player_refusals"):
                await c.fetch(SQL[statement], app.pk, player.id)
            await self._notify(c, app.slug, player.id)
            return tables

        return await self._database.transaction(delete, within_s=DELETION_S)

    async def _run(self, steps: tuple[Step, ...]) -> tuple[int, Contents]:
        deletes = len(steps) > 1

        async def work(c: Connection) -> tuple[int, Contents]:
            if deletes:
                await c.execute("SET LOCAL statement_timeout = 0")
            for statement, values in steps:
                rows = await c.fetch(SQL[statement], *values, timeout=DELETION_S)
            if not rows:
                raise was_deleted(statement)
            await c.fetch(SQL["increment_version"])
            await self._notify(c, "", "")
            ((version, *contents),) = await c.fetch(SQL["contents"])
            return rows[0][0], to_contents(version, *contents)

        return await self._write(steps[-1][0], work, DELETION_S if deletes else None)

    async def _put_player(self, app: App, player: str, step: Step) -> None:
        async def work(c: Connection) -> None:
            if not await c.fetch(SQL[step[0]], *step[1]):
                raise was_deleted(step[0])
            await self._notify(c, app.slug, player)

        await self._write(step[0], work)

    async def _write(self, statement: str, work: Work[T], within_s: float | None = None) -> T:
        try:
            return await self._database.transaction(work, within_s=within_s)
        except asyncpg.ForeignKeyViolationError as error:
            raise no_such_app() from error
        except asyncpg.UniqueViolationError as error:
            raise already_exists(statement) from error

    async def _notify(self, c: Connection, app: str, player: str) -> None:
        await c.fetch(SQL["notify"], CHANNEL, msgspec.json.encode((self._process, app, player)).decode())
