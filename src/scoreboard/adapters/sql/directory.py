"""The part of a directory that SQLite and PostgreSQL share.

Apps, boards and actions are cached in memory and written through. Players stay in the database.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from scoreboard.domain import codes
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.errors import ScoreboardError

Step: TypeAlias = tuple[str, tuple[object, ...]]
"""The name of a statement, and its values. The name ends with the kind that it changes, such as `app`."""
BoardFilter: TypeAlias = Callable[[Board], bool]
T = TypeVar("T")

_IDENTITY = ("pk", "app", "slug")
_CONFLICTS = {
    "app": codes.APP_EXISTS,
    "board": codes.BOARD_EXISTS,
    "action": codes.ACTION_EXISTS,
    "player": codes.PLAYER_EXISTS,
}
_MISSING = {
    "app": codes.APP_NOT_FOUND,
    "board": codes.BOARD_NOT_FOUND,
    "action": codes.ACTION_NOT_FOUND,
    "player": codes.PLAYER_NOT_FOUND,
}


class Contents(NamedTuple):
    """The cached part of the directory at one instant; a later version is greater."""

    version: int
    apps: dict[str, App]
    boards: dict[tuple[str, str], Board]
    actions: dict[tuple[str, str], Action]


class SqlDirectory(ABC):
    """Lookups in the cache, and changes as steps that the database runs.

    `deletions` are the statements that delete an app, a board or an action. Each takes the primary key.
    """

    def __init__(self, deletions: Mapping[str, tuple[str, ...]]) -> None:
        self._deletions = deletions
        self._contents = Contents(-1, {}, {}, {})

    async def apps(self) -> list[App]:
        return sorted(self._contents.apps.values(), key=lambda app: app.slug)

    async def app(self, app: str) -> App:
        found = self._contents.apps.get(app)
        if found is None:
            raise no_such_app()
        return found

    async def create_app(self, app: App) -> App:
        step = "add_app", (app.slug, app.name, app.time_zone)
        return replace(app, pk=await self._change(_no_board, step))

    async def update_app(self, app: App) -> None:
        await self._change(_boards_of(app), ("update_app", (app.pk, app.name, app.time_zone)))

    async def delete_app(self, app: App) -> None:
        await self._delete("app", app.pk, _boards_of(app))

    async def boards(self, app: App) -> list[Board]:
        return _of_app(app, self._contents.boards)

    async def board(self, app: str, board: str) -> Board:
        found = self._contents.boards.get((app, board))
        if found is None:
            await self.app(app)
            raise codes.BOARD_NOT_FOUND.error("this app has no such board")
        return found

    async def create_board(self, board: Board) -> Board:
        step = "add_board", (board.app.pk, board.slug, _definition(board))
        return replace(board, pk=await self._change(_only(board), step))

    async def update_board(self, board: Board) -> None:
        await self._change(_only(board), ("update_board", (board.pk, _definition(board))))

    async def delete_board(self, board: Board) -> None:
        await self._delete("board", board.pk, _only(board))

    async def actions(self, app: App) -> list[Action]:
        return _of_app(app, self._contents.actions)

    async def action(self, app: str, action: str) -> Action:
        found = self._contents.actions.get((app, action))
        if found is None:
            await self.app(app)
            raise codes.ACTION_NOT_FOUND.error("this app has no such action")
        return found

    async def create_action(self, action: Action) -> Action:
        step = "add_action", (action.app.pk, action.slug, action.points, action.per_day, action.cooldown_s)
        return replace(action, pk=await self._change(_no_board, step))

    async def update_action(self, action: Action) -> None:
        step = "update_action", (action.pk, action.points, action.per_day, action.cooldown_s)
        await self._change(_no_board, step)

    async def delete_action(self, action: Action) -> None:
        await self._delete("action", action.pk, _no_board)

    async def create_player(self, app: App, player: Player) -> None:
        await self._put_player(app, player.id, ("add_player", _player_row(app, player)))

    async def update_player(self, app: App, player: Player) -> None:
        await self._put_player(app, player.id, ("update_player", _player_row(app, player)))

    async def _delete(self, kind: str, pk: int, own: BoardFilter) -> None:
        await self._change(own, *((statement, (pk,)) for statement in self._deletions[kind]))

    async def _change(self, own: BoardFilter, *steps: Step) -> int:
        """Run steps in one transaction, and refresh the cache.

        Return the primary key of the row that the last step changes. If it is gone, raise NotFound and change nothing.
        Listeners are not notified of boards that match `own`.
        """
        pk, contents = await self._run(steps)
        self._refresh(contents, own)
        return pk

    def _refresh(self, contents: Contents, own: BoardFilter) -> None:
        self._contents = contents

    @abstractmethod
    async def _run(self, steps: tuple[Step, ...]) -> tuple[int, Contents]:
        """Run steps in one transaction; return the last primary key and the contents."""

    @abstractmethod
    async def _put_player(self, app: App, player: str, step: Step) -> None:
        """Create or update a player in one transaction."""


def to_contents(version: int, apps: Iterable[Any], boards: Iterable[Any], actions: Iterable[Any]) -> Contents:
    """Return the contents from the rows of the three tables."""
    by_pk = {pk: App(pk, slug, name, time_zone) for pk, slug, name, time_zone in apps}
    all_boards = [_board(pk, by_pk[app], definition) for pk, app, definition in boards]
    all_actions = [Action(pk, by_pk[app], *rest) for pk, app, *rest in actions]
    return Contents(
        version,
        {app.slug: app for app in by_pk.values()},
        {(board.app.slug, board.slug): board for board in all_boards},
        {(action.app.slug, action.slug): action for action in all_actions},
    )


def no_such_app() -> ScoreboardError:
    """Return the error for an app that does not exist."""
    return codes.APP_NOT_FOUND.error("there is no such app")


def already_exists(statement: str) -> ScoreboardError:
    """Return the error for a statement that adds a row whose id exists."""
    return _CONFLICTS[_kind(statement)].error("this id is already in use; choose another one")


def was_deleted(statement: str) -> ScoreboardError:
    """Return the error for a statement that found no row to change."""
    kind = _kind(statement)
    return _MISSING[kind].error(f"this {kind} was deleted during the request")


def _kind(statement: str) -> str:
    return statement.rpartition("_")[2]


def _no_board(_: Board) -> bool:
    return False


def _boards_of(app: App) -> BoardFilter:
    return lambda board: board.app.pk == app.pk


def _only(board: Board) -> BoardFilter:
    return lambda other: (other.app.pk, other.slug) == (board.app.pk, board.slug)


def _of_app(app: App, found: Mapping[tuple[str, str], T]) -> list[T]:
    """Return the values of one app in the order of their slugs."""
    return [found[key] for key in sorted(key for key in found if key[0] == app.slug)]


def _player_row(app: App, player: Player) -> tuple[object, ...]:
    return app.pk, player.id, player.username, player.avatar_url, player.email, player.region


def _definition(board: Board) -> str:
    rules = {f.name: getattr(board, f.name) for f in fields(board) if f.name not in _IDENTITY}
    return msgspec.json.encode({"board": board.slug, **rules}).decode()


@lru_cache(maxsize=10_000)
def _board(pk: int, app: App, definition: str) -> Board:
    rules = msgspec.json.decode(definition)
    return msgspec.convert({**rules, "pk": pk, "app": app, "slug": rules.pop("board")}, Board)
