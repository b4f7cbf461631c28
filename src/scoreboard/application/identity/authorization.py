"""May this credential do this? Who it is was settled by the Access port."""

from scoreboard.application.ports.authentication import EVERY_APP, Credential, Scope
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Forbidden, Unauthenticated


def require(credential: Credential | None, app: str, scope: Scope) -> Credential:
    """The credential, when it has the scope in this app; one of another app can do nothing here."""
    if credential is None:
        raise Unauthenticated("token_missing", "send a token: Authorization: Bearer <token>")
    if credential.app not in {app, EVERY_APP}:
        raise Forbidden("wrong_app", "this token belongs to another app")
    if scope not in credential.scopes:
        raise Forbidden("scope_missing", f"this token does not have the scope {scope}")
    return credential


def require_operator(credential: Credential | None) -> None:
    """An admin of every app."""
    require(credential, EVERY_APP if credential is None else credential.app, "admin")
    if credential is not None and credential.app != EVERY_APP:
        raise Forbidden("operator_only", "this takes the operator's token: scoreboard token admin --app '*'")


def require_player(credential: Credential, player: str) -> None:
    """A player's token speaks for that player only."""
    if credential.role == "player" and credential.subject != player:
        raise Forbidden("wrong_player", "a player's token is good for that player only")


def require_read(credential: Credential | None, board: Board) -> None:
    if not board.public:
        require(credential, board.app.app, "read:leaderboard")


def require_value(principal: Credential, board: Board) -> None:
    """Only actions come from players, unless the board trusts their values."""
    if principal.role == "player" and not board.player_values:
        raise Forbidden(
            "value_not_allowed", "players send actions to this board, not values; their worth is the server's to say"
        )
