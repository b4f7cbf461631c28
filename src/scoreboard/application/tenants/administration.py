"""Administration of apps, boards, actions and players."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from scoreboard.application.identity.authorization import authorize, authorize_operator
from scoreboard.application.live.directory_invalidator import DirectoryInvalidator
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.directory import BoardChanged, BoardGone, Directory, PlayerChanged
from scoreboard.application.ports.ranking import Ranking
from scoreboard.domain import codes
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.codes import Code
from scoreboard.domain.errors import NotFound, Unavailable

log = structlog.get_logger(__name__)

_Stored = TypeVar("_Stored", App, Board, Action)


class Tenants:
    """The use cases of an operator, and of the admins of an app.

    A change is durable before its effects are visible. Changes to one app and its contents are serialized, so that none
    restores outdated fields. Methods on apps take a principal. The others take an app that `open` returned, or its
    contents.
    """

    def __init__(self, directory: Directory, ranking: Ranking, invalidate: DirectoryInvalidator) -> None:
        self._directory = directory
        self._ranking = ranking
        self._invalidate = invalidate
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def _locked(self, app: App) -> AsyncIterator[App]:
        """Yield the current state of an app under the lock for changes to it."""
        lock = self._locks.setdefault(app.slug, asyncio.Lock())
        async with lock:
            yield _check_same(app, await self._directory.app(app.slug), codes.APP_NOT_FOUND)

    async def apps(self, principal: Principal | None) -> list[App]:
        authorize_operator(principal, "manage_apps")
        return await self._directory.apps()

    async def create_app(self, principal: Principal | None, app: str, name: str | None, time_zone: str) -> App:
        """Create an app, by default with its id as its name."""
        authorize_operator(principal, "manage_apps")
        return await self._directory.create_app(App(0, app, name or app, time_zone).check())

    async def open(self, principal: Principal | None, app: str) -> App:
        """Return an app that the principal may manage, for the use cases that take one."""
        authorize(principal, "manage_app", app)
        return await self._directory.app(app)

    async def update_app(self, app: App, changes: dict[str, object]) -> App:
        async with self._locked(app) as current:
            changed = replace(current, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_app(changed)
        return changed

    async def delete_app(self, principal: Principal | None, app_id: str) -> None:
        authorize_operator(principal, "manage_apps")
        app = await self._directory.app(app_id)
        boards = await self._directory.boards(app)
        await self._directory.delete_app(app)
        for board in boards:
            await self._drop_board(board)

    async def boards(self, app: App) -> list[Board]:
        return await self._directory.boards(app)

    async def board(self, app: App, board: str) -> Board:
        return await self._directory.board(app.slug, board)

    async def create_board(self, app: App, board: str, rules: Mapping[str, Any]) -> Board:
        """Create a board. `rules` are fields of Board; one that is None has its default.

        The default name is the id, and the default time zone that of the app.
        """
        given = {field: value for field, value in rules.items() if value is not None}
        async with self._locked(app) as current:
            given["name"] = given.get("name") or board
            given["time_zone"] = given.get("time_zone") or current.time_zone
            return await self._directory.create_board(Board(0, current, board, **given).check())

    async def update_board(self, board: Board, changes: dict[str, object]) -> Board:
        async with self._locked(board.app) as app:
            current = _check_same(board, await self._directory.board(app.slug, board.slug), codes.BOARD_NOT_FOUND)
            changed = replace(current, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_board(changed)
        self._invalidate(BoardChanged(changed))
        return changed

    async def delete_board(self, board: Board) -> None:
        await self._directory.delete_board(board)
        await self._drop_board(board)

    async def _drop_board(self, board: Board) -> None:
        with _ranking_outage_logged("drop"):
            await self._ranking.drop(board)
        self._invalidate(BoardGone(board.pk))

    async def actions(self, app: App) -> list[Action]:
        return await self._directory.actions(app)

    async def action(self, app: App, action: str) -> Action:
        return await self._directory.action(app.slug, action)

    async def create_action(self, action: Action) -> Action:
        async with self._locked(action.app) as app:
            return await self._directory.create_action(replace(action, app=app).check())

    async def update_action(self, action: Action, changes: dict[str, object]) -> Action:
        async with self._locked(action.app) as app:
            current = _check_same(action, await self._directory.action(app.slug, action.slug), codes.ACTION_NOT_FOUND)
            changed = replace(current, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_action(changed)
        return changed

    async def delete_action(self, action: Action) -> None:
        await self._directory.delete_action(action)

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        """Return at most `limit` players in the order of ids, starting after `after`."""
        return await self._directory.players(app, after, limit)

    async def player(self, app: App, player: str) -> Player:
        found = (await self._directory.find_players(app, [player])).get(player)
        if found is None:
            raise codes.PLAYER_NOT_FOUND.error("there is no such player")
        return found

    async def create_player(self, app: App, player: str, username: str | None, profile: Mapping[str, Any]) -> Player:
        """Create a player. `profile` has the other fields; the default username is the id."""
        created = Player(player, username or player, **profile).check()
        await self._directory.create_player(app, created)
        self._invalidate(PlayerChanged(app, player))
        return created

    async def update_player(self, app: App, player: Player, changes: dict[str, object]) -> Player:
        async with self._locked(app):
            current = await self.player(app, player.id)
            changed = replace(current, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_player(app, changed)
        self._invalidate(PlayerChanged(app, player.id))
        return changed

    async def delete_player(self, app: App, player: Player) -> None:
        """Delete a player and its standings. Its ledger entries no longer identify it."""
        tables = await self._directory.delete_player(app, player)
        with _ranking_outage_logged("remove"):
            for key, version in tables:
                await self._ranking.remove(key, player.id, version)
        self._invalidate(PlayerChanged(app, player.id))


@contextmanager
def _ranking_outage_logged(what: str) -> Iterator[None]:
    """Ignore an outage of the ranking: the drift check removes deleted entries later."""
    try:
        yield
    except Unavailable as error:
        log.warning("ranking_not_updated", what=what, code=error.code)


def _check_same(given: _Stored, current: _Stored, not_found: Code[NotFound]) -> _Stored:
    """Return `current`. Raises NotFound if it was created after `given` was deleted."""
    if current.pk != given.pk:
        raise not_found.error("the requested item was deleted during the request")
    return current
