from dataclasses import replace

import pytest

from scoreboard.application.identity.authorization import require, require_player, require_read
from scoreboard.application.ports.authentication import Credential, Role, Scope
from scoreboard.bootstrap.tokens import credential
from scoreboard.domain.errors import Forbidden, Unauthenticated
from tests.making import board

ANN = credential("player", "game", "ann")
PRIVATE = board(public=False)
ROLES: list[Role] = ["player", "server", "admin"]


def refusal(who: Credential | None, app: str = "game", scope: Scope = "update:score") -> str:
    with pytest.raises((Forbidden, Unauthenticated)) as raised:
        require(who, app, scope)
    assert isinstance(raised.value, Unauthenticated) == (who is None)
    return raised.value.code


@pytest.mark.parametrize("role", ROLES)
def test_a_credential_does_what_its_scopes_say_in_its_app(role: Role) -> None:
    who = credential(role, "game", "one")
    assert require(who, "game", "update:score") is who
    assert require(who, "game", "read:leaderboard") is who


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("scope", ["update:score", "read:leaderboard", "admin"])
def test_a_credential_of_one_app_can_do_nothing_in_another(role: Role, scope: Scope) -> None:
    assert refusal(credential(role, "game", "one"), "another", scope) == "wrong_app"


def test_the_operator_is_of_every_app() -> None:
    operator = credential("admin", "*", "operator")
    for app in ("game", "another"):
        assert require(operator, app, "admin") is operator


def test_nobody_is_asked_for_a_token() -> None:
    assert refusal(None) == "token_missing"


@pytest.mark.parametrize("scope", ["update:score", "read:leaderboard", "admin"])
def test_what_is_not_among_the_scopes_is_refused(scope: Scope) -> None:
    assert refusal(replace(ANN, scopes=ANN.scopes - {scope}), scope=scope) == "scope_missing"


def test_only_admins_administer() -> None:
    require(credential("admin", "game", "one"), "game", "admin")
    for role in ROLES[:2]:
        assert refusal(credential(role, "game", "one"), scope="admin") == "scope_missing"


def test_a_players_token_is_good_for_that_player_only() -> None:
    require_player(ANN, "ann")
    with pytest.raises(Forbidden) as raised:
        require_player(ANN, "bob")
    assert raised.value.code == "wrong_player"


@pytest.mark.parametrize("role", ROLES[1:])
def test_servers_and_admins_speak_for_every_player(role: Role) -> None:
    require_player(credential(role, "game", "ann"), "bob")


def test_everybody_reads_a_public_board() -> None:
    for who in (None, ANN, credential("player", "another", "ann"), replace(ANN, scopes=frozenset[Scope]())):
        require_read(who, board())


def test_a_board_that_is_not_public_is_read_with_a_token_of_its_app_and_the_scope() -> None:
    require_read(ANN, PRIVATE)
    for who in (None, credential("player", "another", "ann"), replace(ANN, scopes=frozenset({"update:score"}))):
        with pytest.raises((Forbidden, Unauthenticated)):
            require_read(who, PRIVATE)
