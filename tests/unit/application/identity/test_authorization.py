from dataclasses import replace

import pytest

from scoreboard.application.identity.authentication import authenticate
from scoreboard.application.identity.authorization import (
    authorize,
    authorize_operator,
    authorize_player,
    authorize_read,
)
from scoreboard.application.identity.policy import POLICY, UseCase
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Principal, Role
from scoreboard.domain import codes
from scoreboard.domain.errors import Forbidden, Unauthenticated
from tests.making import board

ANN = principal_of("player", "game", "ann")
OPERATOR = principal_of("admin", "*", "operator")
PRIVATE = board(public=False)
ROLES: list[Role] = ["player", "server", "admin"]
APP_USE_CASES: list[UseCase] = [use for use, rule in POLICY.items() if rule.permission and not rule.operator]
OPERATOR_USE_CASES: list[UseCase] = [use for use, rule in POLICY.items() if rule.operator]


def refusal(principal: Principal | None, use_case: UseCase, app: str = "game") -> str:
    with pytest.raises((Forbidden, Unauthenticated)) as raised:
        authorize(principal, use_case, app)
    assert isinstance(raised.value, Unauthenticated) == (principal is None)
    return raised.value.code


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("use_case", APP_USE_CASES)
def test_a_principal_needs_the_permission_in_its_app(role: Role, use_case: UseCase) -> None:
    principal = principal_of(role, "game", "one")
    rule = POLICY[use_case]
    if rule.permission in principal.permissions and not (rule.trusted and role == "player"):
        assert authorize(principal, use_case, "game") is principal
    else:
        assert refusal(principal, use_case) in {"scope_missing", "server_only"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("use_case", APP_USE_CASES)
def test_a_principal_has_no_permission_in_another_app(role: Role, use_case: UseCase) -> None:
    assert refusal(principal_of(role, "game", "one"), use_case, "another") == "wrong_app"


@pytest.mark.parametrize("use_case", POLICY)
def test_the_operator_may_do_everything_in_every_app(use_case: UseCase) -> None:
    if POLICY[use_case].permission is not None:
        for app in ("game", "another"):
            assert authorize(OPERATOR, use_case, app) is OPERATOR
        authorize_operator(OPERATOR, use_case)


@pytest.mark.parametrize("use_case", OPERATOR_USE_CASES)
def test_only_the_operator_may_use_use_cases_of_no_app(use_case: UseCase) -> None:
    codes = {"player": "scope_missing", "server": "scope_missing", "admin": "operator_only"}
    for role in ROLES:
        with pytest.raises(Forbidden) as raised:
            authorize_operator(principal_of(role, "game", "one"), use_case)
        assert raised.value.code == codes[role]
    with pytest.raises(Unauthenticated):
        authorize_operator(None, use_case)


@pytest.mark.parametrize("use_case", APP_USE_CASES)
def test_a_request_without_a_token_is_refused(use_case: UseCase) -> None:
    assert refusal(None, use_case) == "token_missing"


@pytest.mark.parametrize("use_case", APP_USE_CASES)
def test_permissions_that_no_row_requires_grant_nothing(use_case: UseCase) -> None:
    assert refusal(replace(ANN, permissions=frozenset({"everything", "*"})), use_case) == "scope_missing"


def test_a_player_may_update_only_itself() -> None:
    authorize_player(ANN, "update_score", "ann")
    with pytest.raises(Forbidden) as raised:
        authorize_player(ANN, "update_score", "bob")
    assert raised.value.code == "wrong_player"


@pytest.mark.parametrize("role", ROLES[1:])
def test_servers_and_admins_act_for_every_player(role: Role) -> None:
    authorize_player(principal_of(role, "game", "ann"), "update_score", "bob")


def test_anyone_may_read_a_public_board() -> None:
    for principal in (None, ANN, principal_of("player", "another", "ann"), replace(ANN, permissions=frozenset[str]())):
        authorize_read(principal, board())


def test_a_private_board_requires_a_permission_in_its_app() -> None:
    authorize_read(ANN, PRIVATE)
    for principal in (
        None,
        principal_of("player", "another", "ann"),
        replace(ANN, permissions=frozenset({"update:score"})),
    ):
        with pytest.raises((Forbidden, Unauthenticated)):
            authorize_read(principal, PRIVATE)


def test_only_an_admin_can_belong_to_all_apps() -> None:
    for role in ROLES[:2]:
        with pytest.raises(ValueError, match="only an admin"):
            principal_of(role, "*", "one")


def test_the_operator_and_an_admin_of_an_app_have_separate_receipts() -> None:
    same = "admin"
    names = [principal_of(role, "game", same).name for role in ROLES] + [principal_of("admin", "*", same).name]
    assert names == ["player:admin", "server:admin", "admin:admin", "operator:admin"]


class OneToken:
    """An authenticator of one token, which has expired with a final "!"."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def authenticate(self, token: str) -> Principal | None:
        if token == f"{self.token}!":
            raise codes.TOKEN_EXPIRED.error("this one has expired")
        return replace(ANN, session=token) if token == self.token else None


async def test_several_authenticators_are_asked_in_order() -> None:
    authenticators = [OneToken("a"), OneToken("b")]
    for token in ("a", "b"):
        assert (await authenticate(authenticators, token)).session == token
    for token, code in (("a!", "token_expired"), ("b!", "token_expired"), ("c", "token_invalid")):
        with pytest.raises(Unauthenticated) as raised:
            await authenticate(authenticators, token)
        assert raised.value.code == code
