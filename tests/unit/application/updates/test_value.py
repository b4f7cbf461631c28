import pytest

from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.application.updates.value import check_bounds, check_sender, value_of
from scoreboard.domain.board import Operator
from scoreboard.domain.errors import Forbidden, Invalid, Refused
from tests.making import board

BOUNDED = board(min_value=-2, max_value=5)


@pytest.mark.parametrize("role", ["server", "admin"])
@pytest.mark.parametrize("trusting", [False, True])
def test_servers_send_values_to_every_board(role: Role, trusting: bool) -> None:
    check_sender(principal_of(role, "game", "one"), board(player_values=trusting))


def test_players_send_values_only_where_the_board_trusts_them() -> None:
    player = principal_of("player", "game", "ann")
    check_sender(player, board(player_values=True))
    with pytest.raises(Forbidden) as raised:
        check_sender(player, board())
    assert raised.value.code == "value_not_allowed"


@pytest.mark.parametrize(
    ("operator", "increment", "score", "value"),
    [("increment", 3, None, 3), ("best", None, 4, 4), ("latest", None, 0, 0), ("increment", 0, None, 0)],
)
def test_the_value_has_the_name_that_the_operator_asks_for(
    operator: Operator, increment: int | None, score: int | None, value: int
) -> None:
    assert value_of(board(operator=operator), increment, score) == value


@pytest.mark.parametrize(("operator", "name"), [("increment", "increment"), ("best", "score"), ("latest", "score")])
def test_a_value_under_the_other_name_is_refused_and_the_right_one_told(operator: Operator, name: str) -> None:
    given = (None, 4) if operator == "increment" else (3, None)
    with pytest.raises(Invalid, match=name) as raised:
        value_of(board(operator=operator), *given)
    assert raised.value.code == "operator_mismatch"


@pytest.mark.parametrize("value", [-2, 0, 5])
def test_bounds_are_inclusive(value: int) -> None:
    assert check_bounds(BOUNDED, value) == value_of(BOUNDED, value, None) == value


@pytest.mark.parametrize("value", [-3, 6])
def test_a_value_out_of_bounds_is_refused(value: int) -> None:
    with pytest.raises(Refused) as raised:
        check_bounds(BOUNDED, value)
    assert raised.value.code == "value_out_of_bounds"
    with pytest.raises(Refused):
        value_of(BOUNDED, value, None)
