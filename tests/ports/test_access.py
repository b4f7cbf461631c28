import pytest

from scoreboard.application.ports.authentication import EVERY_APP, Credential
from scoreboard.domain.errors import Unauthenticated
from tests.ports.backends import AccessBackend

ANN = Credential("game", "ann", "player", frozenset({"update:score", "read:leaderboard"}))


@pytest.mark.parametrize(
    "credential",
    [
        ANN,
        Credential("game", "安 nn/é", "player", frozenset()),
        Credential("game", "backend", "server", frozenset({"update:score"})),
        Credential(EVERY_APP, "root", "admin", frozenset({"admin"})),
    ],
)
def test_a_token_speaks_for_whom_it_was_minted(accesses: AccessBackend, credential: Credential) -> None:
    token = accesses.access.mint(credential, 60)
    for _ in range(2):
        assert accesses.access.verify(token) == credential


def test_a_token_is_good_for_its_time_and_no_longer(accesses: AccessBackend) -> None:
    known, unknown = accesses.access.mint(ANN, 60), accesses.access.mint(ANN, 61)
    accesses.access.verify(known)
    accesses.pass_time(59)
    assert accesses.access.verify(known) == ANN
    accesses.pass_time(2)
    for token in (known, unknown):
        with pytest.raises(Unauthenticated):
            accesses.access.verify(token)


def test_a_token_made_elsewhere_is_refused(accesses: AccessBackend) -> None:
    with pytest.raises(Unauthenticated):
        accesses.access.verify(accesses.another().mint(ANN, 60))


def test_a_token_with_any_character_changed_is_refused(accesses: AccessBackend) -> None:
    token = accesses.access.mint(ANN, 60)
    for at in range(len(token) - 1):  # the last may have bits that mean nothing
        with pytest.raises(Unauthenticated):
            accesses.access.verify(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])


@pytest.mark.parametrize("token", ["", " ", "token", "\0", "é", "a.b.c", "x" * 100_000])
def test_what_is_no_token_is_refused(accesses: AccessBackend, token: str) -> None:
    with pytest.raises(Unauthenticated):
        accesses.access.verify(token)


def test_a_renewed_token_has_the_receipts_of_the_one_before(accesses: AccessBackend) -> None:
    first = accesses.access.verify(accesses.access.mint(ANN, 60))
    accesses.pass_time(30)
    assert accesses.access.verify(accesses.access.mint(ANN, 60)).name == first.name
