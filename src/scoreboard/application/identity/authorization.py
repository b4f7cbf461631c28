"""Authorization: the functions with which use cases apply the policy table.

They take a principal that was authenticated, or None for a request without a token.
"""

from scoreboard.application.identity.policy import POLICY, UseCase
from scoreboard.application.ports.authentication import ALL_APPS, Principal
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unauthenticated


def authorize(principal: Principal | None, use_case: UseCase, app: str) -> Principal:
    """Return the authorized principal. Raises Unauthenticated or Forbidden."""
    required = POLICY[use_case]
    if principal is None:
        raise token_missing()
    if principal.app not in {app, ALL_APPS}:
        raise codes.WRONG_APP.error("this token belongs to another app")
    if required.permission not in principal.permissions:
        raise codes.SCOPE_MISSING.error(
            f"this token does not have the scope {required.permission}; use one that has it"
        )
    if required.operator and principal.app != ALL_APPS:
        raise codes.OPERATOR_ONLY.error("this request requires the operator's token: scoreboard token admin --app '*'")
    if required.trusted and principal.role == "player":
        raise codes.SERVER_ONLY.error("a batch requires the token of a server or admin")
    return principal


def authorize_operator(principal: Principal | None, use_case: UseCase) -> None:
    """Raise Unauthenticated or Forbidden; for use cases that belong to no app."""
    authorize(principal, use_case, ALL_APPS if principal is None else principal.app)


def authorize_player(principal: Principal, use_case: UseCase, player: str) -> None:
    """Raise Forbidden for a player's token that is used for another player."""
    if POLICY[use_case].others == "forbidden" and principal.role == "player" and principal.subject != player:
        raise codes.WRONG_PLAYER.error("a player's token can update only that player")


def authorize_read(principal: Principal | None, board: Board) -> None:
    """Raise Unauthenticated or Forbidden unless the principal may read a board."""
    if not (board.public and POLICY["read_standings"].public_boards):
        authorize(principal, "read_standings", board.app.slug)


def authorize_value(principal: Principal, board: Board) -> None:
    """Raise Forbidden for a value from a player if the board takes only actions."""
    if principal.role == "player" and not board.player_values:
        raise codes.VALUE_NOT_ALLOWED.error("this board accepts only actions from players; send an action, not a value")


def token_missing() -> Unauthenticated:
    return codes.TOKEN_MISSING.error("this request requires a token; send it as Authorization: Bearer <token>")
