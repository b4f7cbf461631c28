"""Apps, boards, actions and players: made, read, changed, deleted."""

from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from scoreboard.application.identity.policy import UseCase
from scoreboard.application.tenants.administration import Tenants
from scoreboard.domain import board as domain
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import score_text
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.json_body import decode_json
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

T = TypeVar("T", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode
_UNCACHED = b"Cache-Control: no-store\r\n"


class TenantRoutes:
    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    def routes(self) -> list[Endpoint]:
        """Five for each kind of thing, all alike."""
        app = "/v1/apps/{app}"
        return [
            *_five(
                self,
                "app",
                "/v1/apps",
                (schema.App, schema.AppChange, schema.Apps),
                ("invalid_name", "invalid_time_zone"),
            ),
            *_five(
                self,
                "board",
                f"{app}/boards",
                (schema.Board, schema.BoardChange, schema.Boards),
                ("invalid_name", "invalid_top_n", "invalid_bounds"),
                ("invalid_time_zone", "invalid_region", "invalid_regions"),
            ),
            *_five(
                self,
                "action",
                f"{app}/actions",
                (schema.Action, schema.ActionChange, schema.Actions),
                ("invalid_points", "invalid_per_day", "invalid_cooldown"),
            ),
            *_five(
                self,
                "player",
                f"{app}/players",
                (schema.Player, schema.PlayerChange, schema.Players),
                ("invalid_username", "invalid_avatar_url", "invalid_email", "invalid_region"),
                query=schema.PlayersQuery,
            ),
        ]

    # Apps

    async def list_app(self, call: RequestContext) -> web.StreamResponse:
        """Every app of this server, by id.

        - **Who**: the operator (an admin's token for every app).
        """
        return _ok(schema.Apps([_app(app) for app in await self._tenants.apps(call.principal)]))

    async def create_app(self, call: RequestContext) -> web.StreamResponse:
        """A tenant of its own: boards, actions, players and tokens of one app mean nothing in another.

        `time_zone` decides when a day begins, for actions that count so many times a day, and for boards that name
        none.

        - **Who**: the operator (an admin's token for every app).
        """
        body = await _body(call, schema.App)
        return _created(_app(await self._tenants.create_app(call.principal, body.app, body.name, body.time_zone)))

    async def get_app(self, call: RequestContext) -> web.StreamResponse:
        """Its name and time zone.

        - **Who**: the app's admin.
        """
        return _ok(_app(await self._app(call)))

    async def update_app(self, call: RequestContext) -> web.StreamResponse:
        """What is left out stays. A new time zone holds for new boards and for the days of actions; boards keep their
        own.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        return _ok(_app(await self._tenants.update_app(app, _changes(await _body(call, schema.AppChange)))))

    async def delete_app(self, call: RequestContext) -> web.StreamResponse:
        """The app goes, with its boards, actions, players and scores; pages that watch it are told. This cannot be
        undone, and the id may be used again for another app.

        - **Who**: the operator (an admin's token for every app).
        """
        await self._tenants.delete_app(call.principal, call.path[0])
        return Response(204)

    # Boards

    async def list_board(self, call: RequestContext) -> web.StreamResponse:
        """Every board of the app, by id, private ones too.

        - **Who**: the app's admin.
        """
        return _ok(schema.Boards([_board(board) for board in await self._tenants.boards(await self._app(call))]))

    async def create_board(self, call: RequestContext) -> web.StreamResponse:
        """One ranking rule. What decides the meaning of its standings is fixed for good: `operator` (add up, keep the
        best, keep the latest), `direction`, `ties`, `numbering`, `period`, `time_zone`, `regions` and the bounds of
        totals.

        Scores are exact signed 64-bit integers. Bounds are those that every JSON reader reads exactly, plus or minus
        2^53 - 1, unless others are given; on a board with wider totals scores are text.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        rules = _changes(await _body(call, schema.Board))
        rules["regions"] = tuple(rules["regions"])
        return _created(_board(await self._tenants.create_board(app, rules.pop("board"), rules)))

    async def get_board(self, call: RequestContext) -> web.StreamResponse:
        """Its rules, as they are now.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        return _ok(_board(await self._tenants.board(app, call.path[1])))

    async def update_board(self, call: RequestContext) -> web.StreamResponse:
        """What is left out stays. Pages that watch the board see the change at once; they are sent away when it is
        public no more.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        board = await self._tenants.board(app, call.path[1])
        return _ok(_board(await self._tenants.update_board(board, _changes(await _body(call, schema.BoardChange)))))

    async def delete_board(self, call: RequestContext) -> web.StreamResponse:
        """The board goes, with all its standings and seasons; pages that watch it are told. This cannot be undone.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        await self._tenants.delete_board(await self._tenants.board(app, call.path[1]))
        return Response(204)

    # Actions

    async def list_action(self, call: RequestContext) -> web.StreamResponse:
        """Every action of the app, by id.

        - **Who**: the app's admin.
        """
        actions = await self._tenants.actions(await self._app(call))
        return _ok(schema.Actions([_action(action) for action in actions]))

    async def create_action(self, call: RequestContext) -> web.StreamResponse:
        """Something a player does that is worth points: the server, not the client, knows how many. `per_day` and
        `cooldown_s` bound how often it counts for one player, exactly, also when requests race.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        body = await _body(call, schema.Action)
        action = domain.Action(0, app, body.action, int(body.points), body.per_day, body.cooldown_s)
        return _created(_action(await self._tenants.create_action(action)))

    async def get_action(self, call: RequestContext) -> web.StreamResponse:
        """What it is worth, and how often it counts.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        return _ok(_action(await self._tenants.action(app, call.path[1])))

    async def update_action(self, call: RequestContext) -> web.StreamResponse:
        """What is left out stays. New points hold for updates from now on; what was counted stays.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        action = await self._tenants.action(app, call.path[1])
        changes = _changes(await _body(call, schema.ActionChange))
        return _ok(_action(await self._tenants.update_action(action, changes)))

    async def delete_action(self, call: RequestContext) -> web.StreamResponse:
        """Updates with it are refused from now on; what was counted stays.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        await self._tenants.delete_action(await self._tenants.action(app, call.path[1]))
        return Response(204)

    # Players

    async def list_player(self, call: RequestContext) -> web.StreamResponse:
        """Profiles of the app by id, a page at a time: go on with the last id as `after`.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        query = call.query(schema.PlayersQuery)
        return _ok(
            schema.Players([_player(player) for player in await self._tenants.players(app, query.after, query.limit)])
        )

    async def create_player(self, call: RequestContext) -> web.StreamResponse:
        """A profile: how the player is shown, and the `region` where the player counts when an update does not say. Not
        needed before a first update, which makes one with the id as username.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        body = await _body(call, schema.Player)
        profile = {"avatar_url": body.avatar_url, "email": body.email, "region": body.region}
        return _created(_player(await self._tenants.create_player(app, body.player, body.username, profile)))

    async def get_player(self, call: RequestContext) -> web.StreamResponse:
        """How the player is shown. E-mail addresses are shown to admins only, and never on boards.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        return _ok(_player(await self._tenants.player(app, call.path[1])))

    async def update_player(self, call: RequestContext) -> web.StreamResponse:
        """What is left out stays; null takes away. Boards and open pages show the new name at once.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        player = await self._tenants.player(app, call.path[1])
        changes = _changes(await _body(call, schema.PlayerChange))
        return _ok(_player(await self._tenants.update_player(app, player, changes)))

    async def delete_player(self, call: RequestContext) -> web.StreamResponse:
        """The profile and every standing go, and the ledger no longer tells who it was. This cannot be undone; an
        update under the same id makes a new player.

        - **Who**: the app's admin.
        """
        app = await self._app(call)
        await self._tenants.delete_player(app, await self._tenants.player(app, call.path[1]))
        return Response(204)

    async def _app(self, call: RequestContext) -> domain.App:
        """The app in the address, opened for management."""
        return await self._tenants.open(call.principal, call.path[0])


def _five(
    routes: TenantRoutes,
    kind: str,
    many: str,
    types: tuple[type, type, type],
    rules: tuple[str, ...],
    fixed: tuple[str, ...] = (),
    query: type | None = None,
) -> list[Endpoint]:
    """List, create, get, update and delete. `types` are the whole thing, a change of it, and the list; `rules` are the
    codes for what a change can have wrong, `fixed` those for what is decided at creation."""
    whole, change, listed = types
    name, tag, one = kind.capitalize(), f"{kind}s", f"{many}/{{{kind}}}"
    article = "an" if kind[0] == "a" else "a"
    operator = ("operator_only",) if kind == "app" else ()
    made = (f"{kind}_exists", f"invalid_{kind}", *rules, *fixed, *operator)

    def endpoint(method: str, path: str, verb: str, summary: str, **more: Any) -> Endpoint:
        policy: UseCase = "manage_apps" if kind == "app" and verb in {"list", "create", "delete"} else "manage_app"
        handler = getattr(routes, f"{verb}_{kind}")
        return Endpoint(method, path, f"{verb}{name}", summary, handler, tag, policy, **more)

    every = endpoint("GET", many, "list", f"List {kind}s", query=query, replies={200: listed}, errors=operator)
    return [
        replace(every, name=f"list{name}s"),
        endpoint("POST", many, "create", f"Create {article} {kind}", body=whole, replies={201: whole}, errors=made),
        endpoint("GET", one, "get", f"Read {article} {kind}", replies={200: whole}),
        endpoint("PATCH", one, "update", f"Change {article} {kind}", body=change, replies={200: whole}, errors=rules),
        endpoint("DELETE", one, "delete", f"Delete {article} {kind}", replies={204: None}, errors=operator),
    ]


async def _body(call: RequestContext, kind: type[T]) -> T:
    return decode_json(msgspec.json.Decoder(kind), await call.body())


_SCORES = {"min_value", "max_value", "min_total", "max_total", "points"}


def _changes(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given; scores as integers."""
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    return {name: int(value) if name in _SCORES and value is not None else value for name, value in given.items()}


def _ok(body: msgspec.Struct) -> Response:
    return Response(200, _encode(body), _UNCACHED)


def _created(body: msgspec.Struct) -> Response:
    return Response(201, _encode(body), _UNCACHED)


def _app(app: domain.App) -> schema.App:
    return schema.App(app.slug, app.name, app.time_zone)


def _board(board: domain.Board) -> schema.Board:
    return schema.Board(
        board=board.slug,
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
        priority=board.priority,
        min_value=score_text(board, board.min_value),
        max_value=score_text(board, board.max_value),
        min_total=score_text(board, board.min_total),
        max_total=score_text(board, board.max_total),
    )


def _action(action: domain.Action) -> schema.Action:
    return schema.Action(action.slug, action.points, action.per_day, action.cooldown_s)


def _player(player: domain.Player) -> schema.Player:
    return schema.Player(player.id, player.username, player.avatar_url, player.email, player.region)
