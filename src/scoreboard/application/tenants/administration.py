"""Apps, boards, actions and players: made, changed and deleted, with all that follows for rankings and live boards."""

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
    """Every change is durable before its effects are shown. Changes to one app and what it holds are made one after the
    other, each to what the one before left: none carries older fields back.

    What belongs to no app yet takes a principal; the rest takes an app that `open` returned.
    """

    def __init__(self, directory: Directory, ranking: Ranking, follow: DirectoryInvalidator) -> None:
        self._directory = directory
        self._ranking = ranking
        self._follow = follow
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def _changing(self, app: App) -> AsyncIterator[App]:
        """The app as it is now, with nobody else changing it or what it holds."""
        lock = self._locks.setdefault(app.slug, asyncio.Lock())
        async with lock:
            yield _same(app, await self._directory.app(app.slug), codes.APP_NOT_FOUND)

    async def apps(self, principal: Principal | None) -> list[App]:
        authorize_operator(principal, "manage_apps")
        return await self._directory.apps()

    async def create_app(self, principal: Principal | None, app: str, name: str | None, time_zone: str) -> App:
        """The id is the default of the name."""
        authorize_operator(principal, "manage_apps")
        return await self._directory.create_app(App(0, app, name or app, time_zone).check())

    async def open(self, principal: Principal | None, app: str) -> App:
        """Return an app that the principal may manage, for the use cases that take one."""
        authorize(principal, "manage_app", app)
        return await self._directory.app(app)

    async def update_app(self, app: App, changes: dict[str, object]) -> App:
        async with self._changing(app) as now:
            changed = replace(now, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_app(changed)
        return changed

    async def delete_app(self, principal: Principal | None, app_id: str) -> None:
        authorize_operator(principal, "manage_apps")
        app = await self._directory.app(app_id)
        boards = await self._directory.boards(app)
        await self._directory.delete_app(app)
        for board in boards:
            await self._forget_board(board)

    async def boards(self, app: App) -> list[Board]:
        return await self._directory.boards(app)

    async def board(self, app: App, board: str) -> Board:
        return await self._directory.board(app.slug, board)

    async def create_board(self, app: App, board: str, rules: Mapping[str, Any]) -> Board:
        """`rules` are fields of Board; one that is missing or None has its default. The defaults of the name and the
        time zone are the id and the app's."""
        given = {field: value for field, value in rules.items() if value is not None}
        async with self._changing(app) as now:
            given["name"] = given.get("name") or board
            given["time_zone"] = given.get("time_zone") or now.time_zone
            return await self._directory.create_board(Board(0, now, board, **given).check())

    async def update_board(self, board: Board, changes: dict[str, object]) -> Board:
        async with self._changing(board.app) as app:
            now = _same(board, await self._directory.board(app.slug, board.slug), codes.BOARD_NOT_FOUND)
            changed = replace(now, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_board(changed)
        self._follow(BoardChanged(changed))
        return changed

    async def delete_board(self, board: Board) -> None:
        await self._directory.delete_board(board)
        await self._forget_board(board)

    async def _forget_board(self, board: Board) -> None:
        with self._ranking_away("drop"):
            await self._ranking.drop(board)
        self._follow(BoardGone(board.pk))

    @staticmethod
    @contextmanager
    def _ranking_away(what: str) -> Iterator[None]:
        """What was deleted stays deleted while the ranking is away: the drift check finds what it still has."""
        try:
            yield
        except Unavailable as error:
            log.warning("ranking_not_told", what=what, code=error.code)

    async def actions(self, app: App) -> list[Action]:
        return await self._directory.actions(app)

    async def action(self, app: App, action: str) -> Action:
        return await self._directory.action(app.slug, action)

    async def create_action(self, action: Action) -> Action:
        async with self._changing(action.app) as app:
            return await self._directory.create_action(replace(action, app=app).check())

    async def update_action(self, action: Action, changes: dict[str, object]) -> Action:
        async with self._changing(action.app) as app:
            now = _same(action, await self._directory.action(app.slug, action.slug), codes.ACTION_NOT_FOUND)
            changed = replace(now, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_action(changed)
        return changed

    async def delete_action(self, action: Action) -> None:
        await self._directory.delete_action(action)

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        """Players in the order of their ids, from the first after `after`."""
        return await self._directory.players(app, after, limit)

    async def player(self, app: App, player: str) -> Player:
        found = (await self._directory.find_players(app, [player])).get(player)
        if found is None:
            raise codes.PLAYER_NOT_FOUND.error("there is no such player")
        return found

    async def create_player(self, app: App, player: str, username: str | None, profile: Mapping[str, Any]) -> Player:
        """`profile` are the other fields of Player. The id is the default of the username."""
        created = Player(player, username or player, **profile).check()
        await self._directory.create_player(app, created)
        self._follow(PlayerChanged(app, player))
        return created

    async def update_player(self, app: App, player: Player, changes: dict[str, object]) -> Player:
        async with self._changing(app):
            now = await self.player(app, player.id)
            changed = replace(now, **changes).check()  # type: ignore[arg-type]  # the names are the schema's
            await self._directory.update_player(app, changed)
        self._follow(PlayerChanged(app, player.id))
        return changed

    async def delete_player(self, app: App, player: Player) -> None:
        """The player and every standing; what the ledger keeps no longer tells who it was."""
        tables = await self._directory.delete_player(app, player)
        with self._ranking_away("remove"):
            for key, version in tables:
                await self._ranking.remove(key, player.id, version)
        self._follow(PlayerChanged(app, player.id))


def _same(before: _Stored, now: _Stored, not_found: Code[NotFound]) -> _Stored:
    """Return `now`. Raise NotFound when it is another one, created under the same id after a deletion."""
    if now.pk != before.pk:
        raise not_found.error("this was deleted in the meantime")
    return now
