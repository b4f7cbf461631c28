"""Apps, boards, actions and players: made, read, changed, deleted."""

from typing import Any, TypeVar

import msgspec
from aiohttp import web

from scoreboard.application.live.messages import score_text
from scoreboard.application.operations.tenants import Tenants as Operations
from scoreboard.application.pipeline import authenticate
from scoreboard.application.ports.access import EVERY_APP
from scoreboard.application.ports.directory import Directory
from scoreboard.domain import board as domain
from scoreboard.domain.errors import Forbidden
from scoreboard.entrypoints.http.operations import Call, Operation, decoded
from scoreboard.entrypoints.http.reply import Reply
from scoreboard.entrypoints.http.v1 import schema

T = TypeVar("T", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode
_UNCACHED = b"Cache-Control: no-store\r\n"


class Tenants:
    def __init__(self, operations: Operations, directory: Directory) -> None:
        self._operations = operations
        self._directory = directory

    def operations(self) -> list[Operation]:
        """Five for each kind of thing, all alike."""
        apps, app = "/v1/apps", "/v1/apps/{app}"
        return [
            *_five("app", "an app", apps, app, schema.App, schema.AppChange, schema.Apps, self, None),
            *_five(
                "board",
                "a board",
                f"{app}/boards",
                f"{app}/boards/{{board}}",
                schema.Board,
                schema.BoardChange,
                schema.Boards,
                self,
                None,
            ),
            *_five(
                "action",
                "an action",
                f"{app}/actions",
                f"{app}/actions/{{action}}",
                schema.Action,
                schema.ActionChange,
                schema.Actions,
                self,
                None,
            ),
            *_five(
                "player",
                "a player",
                f"{app}/players",
                f"{app}/players/{{player}}",
                schema.Player,
                schema.PlayerChange,
                schema.Players,
                self,
                schema.PlayersQuery,
            ),
        ]

    # Apps

    async def list_app(self, call: Call) -> web.StreamResponse:
        _operator(call)
        return _ok(schema.Apps([_app(app) for app in await self._directory.apps()]))

    async def create_app(self, call: Call) -> web.StreamResponse:
        _operator(call)
        body = await _body(call, schema.App)
        app = domain.App(0, body.app, body.name or body.app, body.time_zone)
        return _created(_app(await self._operations.create_app(app)))

    async def get_app(self, call: Call) -> web.StreamResponse:
        return _ok(_app(await self._owned(call)))

    async def update_app(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        return _ok(_app(await self._operations.update_app(app, _changes(await _body(call, schema.AppChange)))))

    async def delete_app(self, call: Call) -> web.StreamResponse:
        _operator(call)
        await self._operations.delete_app(await self._directory.app(call.path[0]))
        return Reply(204)

    # Boards

    async def list_board(self, call: Call) -> web.StreamResponse:
        return _ok(schema.Boards([_board(board) for board in await self._directory.boards(await self._owned(call))]))

    async def create_board(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        body = await _body(call, schema.Board)
        described = {name: value for name, value in _changes(body).items() if value is not None}
        described.update(
            number=0,
            app=app,
            name=body.name or body.board,
            time_zone=body.time_zone or app.time_zone,
            regions=tuple(body.regions),
        )
        return _created(_board(await self._operations.create_board(domain.Board(**described))))

    async def get_board(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        return _ok(_board(await self._directory.board(call.path[0], call.path[1])))

    async def update_board(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        board = await self._directory.board(call.path[0], call.path[1])
        return _ok(_board(await self._operations.update_board(board, _changes(await _body(call, schema.BoardChange)))))

    async def delete_board(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        await self._operations.delete_board(await self._directory.board(call.path[0], call.path[1]))
        return Reply(204)

    # Actions

    async def list_action(self, call: Call) -> web.StreamResponse:
        actions = await self._directory.actions(await self._owned(call))
        return _ok(schema.Actions([_action(action) for action in actions]))

    async def create_action(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        body = await _body(call, schema.Action)
        action = domain.Action(0, app, body.action, int(body.points), body.per_day, body.cooldown_s)
        return _created(_action(await self._operations.create_action(action)))

    async def get_action(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        return _ok(_action(await self._directory.action(call.path[0], call.path[1])))

    async def update_action(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        action = await self._directory.action(call.path[0], call.path[1])
        changes = _changes(await _body(call, schema.ActionChange))
        return _ok(_action(await self._operations.update_action(action, changes)))

    async def delete_action(self, call: Call) -> web.StreamResponse:
        await self._owned(call)
        await self._operations.delete_action(await self._directory.action(call.path[0], call.path[1]))
        return Reply(204)

    # Players

    async def list_player(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        query = call.query(schema.PlayersQuery)
        return _ok(
            schema.Players([_player(player) for player in await self._directory.players(app, query.after, query.limit)])
        )

    async def create_player(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        body = await _body(call, schema.Player)
        player = domain.Player(body.player, body.username or body.player, body.avatar_url, body.email, body.region)
        return _created(_player(await self._operations.create_player(app, player)))

    async def get_player(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        return _ok(_player(await self._operations.player(app, call.path[1])))

    async def update_player(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        player = await self._operations.player(app, call.path[1])
        changes = _changes(await _body(call, schema.PlayerChange))
        return _ok(_player(await self._operations.update_player(app, player, changes)))

    async def delete_player(self, call: Call) -> web.StreamResponse:
        app = await self._owned(call)
        await self._operations.delete_player(app, await self._operations.player(app, call.path[1]))
        return Reply(204)

    async def _owned(self, call: Call) -> domain.App:
        """The app in the address, for its admin."""
        authenticate.require(call.credential(), call.path[0], "admin")
        return await self._directory.app(call.path[0])


def _five(
    kind: str,
    one: str,
    many_path: str,
    one_path: str,
    whole: type,
    change: type,
    many: type,
    doors: Tenants,
    query: type | None,
) -> list[Operation]:
    name, tag = kind.capitalize(), f"{kind}s"

    def door(verb: str) -> Any:
        return getattr(doors, f"{verb}_{kind}")

    return [
        Operation(
            "GET", many_path, f"list{name}s", f"All {kind}s", door("list"), tag, query=query, replies={200: many}
        ),
        Operation(
            "POST",
            many_path,
            f"create{name}",
            f"Make {one}",
            door("create"),
            tag,
            body=whole,
            replies={201: whole},
            errors=(409,),
        ),
        Operation("GET", one_path, f"get{name}", f"Read {one}", door("get"), tag, replies={200: whole}),
        Operation(
            "PATCH", one_path, f"update{name}", f"Change {one}", door("update"), tag, body=change, replies={200: whole}
        ),
        Operation(
            "DELETE",
            one_path,
            f"delete{name}",
            f"Delete {one}, and all that hangs on it",
            door("delete"),
            tag,
            replies={204: None},
        ),
    ]


def _operator(call: Call) -> None:
    credential = call.credential()
    if credential is None or credential.app != EVERY_APP:
        authenticate.require(credential, credential.app if credential else EVERY_APP, "admin")
        raise Forbidden("operator_only", "this takes the operator's token: scoreboard token admin --app '*'")
    authenticate.require(credential, EVERY_APP, "admin")


async def _body(call: Call, kind: type[T]) -> T:
    return decoded(msgspec.json.Decoder(kind), await call.body())


_SCORES = {"min_value", "max_value", "min_total", "max_total", "points"}


def _changes(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given; scores as integers."""
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    return {name: int(value) if name in _SCORES and value is not None else value for name, value in given.items()}


def _ok(body: msgspec.Struct) -> Reply:
    return Reply(200, _encode(body), _UNCACHED)


def _created(body: msgspec.Struct) -> Reply:
    return Reply(201, _encode(body), _UNCACHED)


def _app(app: domain.App) -> schema.App:
    return schema.App(app.app, app.name, app.time_zone)


def _board(board: domain.Board) -> schema.Board:
    return schema.Board(
        board=board.board,
        name=board.name,
        operator=board.operator,
        direction=board.direction,
        ties=board.ties,
        numbering=board.numbering,
        period=board.period,
        time_zone=board.time_zone,
        regions=list(board.regions),
        top_n=board.top_n,
        public=board.public,
        player_values=board.player_values,
        consistency=board.consistency,
        min_value=score_text(board, board.min_value),
        max_value=score_text(board, board.max_value),
        min_total=score_text(board, board.min_total),
        max_total=score_text(board, board.max_total),
    )


def _action(action: domain.Action) -> schema.Action:
    return schema.Action(action.action, action.points, action.per_day, action.cooldown_s)


def _player(player: domain.Player) -> schema.Player:
    return schema.Player(player.player, player.username, player.avatar_url, player.email, player.region)
