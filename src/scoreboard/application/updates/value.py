"""What an update is worth: the server's points for an action, or a value from somebody trusted to send one."""

from scoreboard.application.ports.authentication import Principal
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Forbidden, Invalid, Refused


def check_sender(credential: Principal, board: Board) -> None:
    """Only actions come from players, unless the board trusts their values."""
    if credential.role == "player" and not board.player_values:
        raise Forbidden(
            "value_not_allowed", "players send actions to this board, not values; their worth is the server's to say"
        )


def value_of(board: Board, increment: int | None, score: int | None) -> int:
    """The value, given under the name that the board's operator asks for."""
    wanted = "increment" if board.operator == "increment" else "score"
    value = increment if wanted == "increment" else score
    if value is None:
        raise Invalid("operator_mismatch", f"this board takes the field {wanted}")
    return check_bounds(board, value)


def check_bounds(board: Board, value: int) -> int:
    if not board.min_value <= value <= board.max_value:
        raise Refused("value_out_of_bounds", f"one update to this board is {board.min_value} to {board.max_value}")
    return value
