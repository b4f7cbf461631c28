"""Authorization: the functions by which use cases consult the policy table. Authentication has taken place."""

from scoreboard.application.identity.policy import POLICY, UseCase
from scoreboard.application.ports.authentication import ALL_APPS, Principal
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unauthenticated


def authorize(principal: Principal | None, use_case: UseCase, app: str) -> Principal:
    """Return the principal if it may do this in this app. Raises Unauthenticated or Forbidden."""
    demand = POLICY[use_case]
    if principal is None:
        raise token_missing()
    if principal.app not in {app, ALL_APPS}:
        raise codes.WRONG_APP.error("this token belongs to another app")
    if demand.permission not in principal.permissions:
        raise codes.SCOPE_MISSING.error(f"this token does not have the scope {demand.permission}")
    if demand.operator and principal.app != ALL_APPS:
        raise codes.OPERATOR_ONLY.error("this takes the operator's token: scoreboard token admin --app '*'")
    if demand.trusted and principal.role == "player":
        raise codes.SERVER_ONLY.error("batches come from a server's token")
    return principal


def authorize_operator(principal: Principal | None, use_case: UseCase) -> None:
    """For a use case that belongs to no app."""
    authorize(principal, use_case, ALL_APPS if principal is None else principal.app)


def authorize_player(principal: Principal, use_case: UseCase, player: str) -> None:
    """Raises Forbidden for a player that may not do this for another one."""
    if POLICY[use_case].others == "forbidden" and principal.role == "player" and principal.subject != player:
        raise codes.WRONG_PLAYER.error("a player's token is good for that player only")


def authorize_read(principal: Principal | None, board: Board) -> None:
    """Raises Unauthenticated or Forbidden for a principal that may not read the standings of a board."""
    if not (board.public and POLICY["read_standings"].public_boards):
        authorize(principal, "read_standings", board.app.slug)


def authorize_value(principal: Principal, board: Board) -> None:
    """Raise Forbidden for a player that sends a value to a board which takes actions only from players."""
    if principal.role == "player" and not board.player_values:
        raise codes.VALUE_NOT_ALLOWED.error(
            "players send actions to this board, not values; their worth is the server's to say"
        )


def token_missing() -> Unauthenticated:
    return codes.TOKEN_MISSING.error("this needs a token, and none was sent")
