"""Apps, boards, actions and players: list, create, read, change, delete."""

from functools import partial
from typing import Any, TypeVar

import msgspec

from scoreboard.application.tenants.administration import Tenants
from scoreboard.domain import board as domain
from scoreboard.domain import codes
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import encode_score
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import decode_json, json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

T = TypeVar("T", bound=msgspec.Struct)

# The codes of fields that can be changed.
APP_ERRORS = (codes.INVALID_NAME, codes.INVALID_TIME_ZONE)
BOARD_ERRORS = (codes.INVALID_NAME, codes.INVALID_TOP_N, codes.INVALID_BOUNDS)
ACTION_ERRORS = (codes.INVALID_POINTS, codes.INVALID_PER_DAY, codes.INVALID_COOLDOWN)
PLAYER_ERRORS = (codes.INVALID_USERNAME, codes.INVALID_AVATAR_URL, codes.INVALID_EMAIL, codes.INVALID_REGION)

_endpoint = partial(endpoint, policy="manage_app")


class TenantRoutes:
    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    @endpoint(
        "GET",
        "/v1/apps",
        name="listApps",
        tag="apps",
        policy="manage_apps",
        responses={200: schema.Apps},
        errors=[codes.OPERATOR_ONLY],
    )
    async def list_apps(self, context: RequestContext) -> Response:
        """List the apps of this server, by id."""
        return json_response(schema.Apps([_app(app) for app in await self._tenants.apps(context.principal)]))

    @endpoint(
        "POST",
        "/v1/apps",
        name="createApp",
        tag="apps",
        policy="manage_apps",
        body=schema.App,
        responses={201: schema.App},
        errors=[codes.APP_EXISTS, codes.INVALID_APP, *APP_ERRORS, codes.OPERATOR_ONLY],
    )
    async def create_app(self, context: RequestContext) -> Response:
        """Create an app.

        An app is a tenant: its boards, actions, players and tokens are separate from those of other apps.

        `time_zone` determines when a day begins, for the daily limits of actions and for boards that do not set one.
        """
        body = await _body(context, schema.App)
        app = await self._tenants.create_app(context.principal, body.app, body.name, body.time_zone)
        return json_response(_app(app), 201)

    @_endpoint("GET", "/v1/apps/{app}", name="getApp", tag="apps", responses={200: schema.App})
    async def get_app(self, context: RequestContext) -> Response:
        """Get an app: its name and time zone."""
        return json_response(_app(await self._app(context)))

    @_endpoint(
        "PATCH",
        "/v1/apps/{app}",
        name="updateApp",
        tag="apps",
        body=schema.AppChange,
        responses={200: schema.App},
        errors=APP_ERRORS,
    )
    async def update_app(self, context: RequestContext) -> Response:
        """Change an app.

        Omitted fields stay the same. A new time zone applies to new boards, and to the days of actions. Existing boards
        keep theirs.
        """
        app = await self._app(context)
        changes = _given(await _body(context, schema.AppChange))
        return json_response(_app(await self._tenants.update_app(app, changes)))

    @endpoint(
        "DELETE",
        "/v1/apps/{app}",
        name="deleteApp",
        tag="apps",
        policy="manage_apps",
        responses={204: None},
        errors=[codes.OPERATOR_ONLY],
    )
    async def delete_app(self, context: RequestContext) -> Response:
        """Delete an app.

        Its boards, actions, players and scores are deleted with it, and pages that watch it are notified. This cannot
        be undone. The id is then free for another app.
        """
        await self._tenants.delete_app(context.principal, context.path[0])
        return Response(204)

    @_endpoint("GET", "/v1/apps/{app}/boards", name="listBoards", tag="boards", responses={200: schema.Boards})
    async def list_boards(self, context: RequestContext) -> Response:
        """List the boards of an app, by id.

        The list includes private boards.
        """
        boards = await self._tenants.boards(await self._app(context))
        return json_response(schema.Boards([_board(board) for board in boards]))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/boards",
        name="createBoard",
        tag="boards",
        body=schema.Board,
        responses={201: schema.Board},
        errors=[
            codes.BOARD_EXISTS,
            codes.INVALID_BOARD,
            *BOARD_ERRORS,
            codes.INVALID_TIME_ZONE,
            codes.INVALID_REGION,
            codes.INVALID_REGIONS,
        ],
    )
    async def create_board(self, context: RequestContext) -> Response:
        """Create a board.

        A board is one rule of ranking. Its `operator` adds up scores, keeps the best, or keeps the latest. These fields
        cannot be changed later: `operator`, `direction`, `ties`, `numbering`, `period`, `time_zone`, `regions`, and the
        bounds of totals.

        Scores are exact signed 64-bit integers. By default their bounds are plus and minus 2^53 - 1, the range that
        every JSON parser reads exactly. On a board with wider totals scores are strings.
        """
        app = await self._app(context)
        rules = _given(await _body(context, schema.Board))
        rules["regions"] = tuple(rules["regions"])
        return json_response(_board(await self._tenants.create_board(app, rules.pop("board"), rules)), 201)

    @_endpoint("GET", "/v1/apps/{app}/boards/{board}", name="getBoard", tag="boards", responses={200: schema.Board})
    async def get_board(self, context: RequestContext) -> Response:
        """Get the current rules of a board."""
        app = await self._app(context)
        return json_response(_board(await self._tenants.board(app, context.path[1])))

    @_endpoint(
        "PATCH",
        "/v1/apps/{app}/boards/{board}",
        name="updateBoard",
        tag="boards",
        body=schema.BoardChange,
        responses={200: schema.Board},
        errors=BOARD_ERRORS,
    )
    async def update_board(self, context: RequestContext) -> Response:
        """Change a board.

        Omitted fields stay the same. Pages that watch the board show the change at once. If the board becomes private,
        they are disconnected from it.
        """
        app = await self._app(context)
        board = await self._tenants.board(app, context.path[1])
        changes = _given(await _body(context, schema.BoardChange))
        return json_response(_board(await self._tenants.update_board(board, changes)))

    @_endpoint("DELETE", "/v1/apps/{app}/boards/{board}", name="deleteBoard", tag="boards", responses={204: None})
    async def delete_board(self, context: RequestContext) -> Response:
        """Delete a board.

        All its seasons and standings are deleted with it, and pages that watch it are notified. This cannot be undone.
        """
        app = await self._app(context)
        await self._tenants.delete_board(await self._tenants.board(app, context.path[1]))
        return Response(204)

    @_endpoint("GET", "/v1/apps/{app}/actions", name="listActions", tag="actions", responses={200: schema.Actions})
    async def list_actions(self, context: RequestContext) -> Response:
        """List the actions of an app, by id."""
        actions = await self._tenants.actions(await self._app(context))
        return json_response(schema.Actions([_action(action) for action in actions]))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/actions",
        name="createAction",
        tag="actions",
        body=schema.Action,
        responses={201: schema.Action},
        errors=[codes.ACTION_EXISTS, codes.INVALID_ACTION, *ACTION_ERRORS],
    )
    async def create_action(self, context: RequestContext) -> Response:
        """Create an action.

        An action is an activity of a player that earns points. The server determines the points, not the client.
        `per_day` and `cooldown_s` limit how often the action counts for a player. The limits are exact, even for
        simultaneous requests.
        """
        app = await self._app(context)
        body = await _body(context, schema.Action)
        action = domain.Action(0, app, body.action, int(body.points), body.per_day, body.cooldown_s)
        return json_response(_action(await self._tenants.create_action(action)), 201)

    @_endpoint(
        "GET", "/v1/apps/{app}/actions/{action}", name="getAction", tag="actions", responses={200: schema.Action}
    )
    async def get_action(self, context: RequestContext) -> Response:
        """Get an action: its points and limits."""
        app = await self._app(context)
        return json_response(_action(await self._tenants.action(app, context.path[1])))

    @_endpoint(
        "PATCH",
        "/v1/apps/{app}/actions/{action}",
        name="updateAction",
        tag="actions",
        body=schema.ActionChange,
        responses={200: schema.Action},
        errors=ACTION_ERRORS,
    )
    async def update_action(self, context: RequestContext) -> Response:
        """Change an action.

        Omitted fields stay the same. New points apply to later updates only.
        """
        app = await self._app(context)
        action = await self._tenants.action(app, context.path[1])
        changes = _given(await _body(context, schema.ActionChange))
        return json_response(_action(await self._tenants.update_action(action, changes)))

    @_endpoint("DELETE", "/v1/apps/{app}/actions/{action}", name="deleteAction", tag="actions", responses={204: None})
    async def delete_action(self, context: RequestContext) -> Response:
        """Delete an action.

        Later updates with this action are refused. Points that were already earned stay.
        """
        app = await self._app(context)
        await self._tenants.delete_action(await self._tenants.action(app, context.path[1]))
        return Response(204)

    @_endpoint(
        "GET",
        "/v1/apps/{app}/players",
        name="listPlayers",
        tag="players",
        query=schema.PlayersQuery,
        responses={200: schema.Players},
    )
    async def list_players(self, context: RequestContext) -> Response:
        """List the profiles of an app, by id, page by page.

        For the next page, send the last id as `after`.
        """
        app = await self._app(context)
        query = context.query(schema.PlayersQuery)
        players = await self._tenants.players(app, query.after, query.limit)
        return json_response(schema.Players([_player(player) for player in players]))

    @_endpoint(
        "POST",
        "/v1/apps/{app}/players",
        name="createPlayer",
        tag="players",
        body=schema.Player,
        responses={201: schema.Player},
        errors=[codes.PLAYER_EXISTS, codes.INVALID_PLAYER, *PLAYER_ERRORS],
    )
    async def create_player(self, context: RequestContext) -> Response:
        """Create a player.

        A profile has the name and avatar of a player, and the `region` for updates without one. It is optional: the
        first update of a player creates a profile with the id as username.
        """
        app = await self._app(context)
        body = await _body(context, schema.Player)
        profile = {"avatar_url": body.avatar_url, "email": body.email, "region": body.region}
        return json_response(_player(await self._tenants.create_player(app, body.player, body.username, profile)), 201)

    @_endpoint(
        "GET", "/v1/apps/{app}/players/{player}", name="getPlayer", tag="players", responses={200: schema.Player}
    )
    async def get_player(self, context: RequestContext) -> Response:
        """Get the profile of a player.

        E-mail addresses are visible to admins only, and never on boards.
        """
        app = await self._app(context)
        return json_response(_player(await self._tenants.player(app, context.path[1])))

    @_endpoint(
        "PATCH",
        "/v1/apps/{app}/players/{player}",
        name="updatePlayer",
        tag="players",
        body=schema.PlayerChange,
        responses={200: schema.Player},
        errors=PLAYER_ERRORS,
    )
    async def update_player(self, context: RequestContext) -> Response:
        """Change the profile of a player.

        Omitted fields stay the same; null removes a value. Boards and open pages show the new name at once.
        """
        app = await self._app(context)
        player = await self._tenants.player(app, context.path[1])
        changes = _given(await _body(context, schema.PlayerChange))
        return json_response(_player(await self._tenants.update_player(app, player, changes)))

    @_endpoint("DELETE", "/v1/apps/{app}/players/{player}", name="deletePlayer", tag="players", responses={204: None})
    async def delete_player(self, context: RequestContext) -> Response:
        """Delete a player.

        The profile and all standings are deleted, and the player's entries in the ledger become anonymous. This cannot
        be undone. A later update under the same id creates a new player.
        """
        app = await self._app(context)
        await self._tenants.delete_player(app, await self._tenants.player(app, context.path[1]))
        return Response(204)

    async def _app(self, context: RequestContext) -> domain.App:
        """Return the app of the address, if the principal may manage it."""
        return await self._tenants.open(context.principal, context.path[0])


async def _body(context: RequestContext, kind: type[T]) -> T:
    return decode_json(msgspec.json.Decoder(kind), await context.body())


_SCORES = {"min_value", "max_value", "min_total", "max_total", "points"}


def _given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that were sent, with scores as integers."""
    given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    return {name: int(value) if name in _SCORES and value is not None else value for name, value in given.items()}


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
        min_value=encode_score(board, board.min_value),
        max_value=encode_score(board, board.max_value),
        min_total=encode_score(board, board.min_total),
        max_total=encode_score(board, board.max_total),
    )


def _action(action: domain.Action) -> schema.Action:
    return schema.Action(action.slug, action.points, action.per_day, action.cooldown_s)


def _player(player: domain.Player) -> schema.Player:
    return schema.Player(player.id, player.username, player.avatar_url, player.email, player.region)
