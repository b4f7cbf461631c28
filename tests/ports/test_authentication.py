import pytest

from scoreboard.application.ports.authentication import ALL_APPS, Authenticator, Principal
from scoreboard.domain.errors import Unauthenticated
from tests.ports.backends import TokenBackend

ANN = Principal("game", "ann", "player", frozenset({"update:score", "read:leaderboard"}))


async def refused(authenticator: Authenticator, token: str) -> None:
    """The token is not valid, or of another kind."""
    try:
        assert await authenticator.authenticate(token) is None
    except Unauthenticated:
        return


@pytest.mark.parametrize(
    "principal",
    [
        ANN,
        Principal("game", "ann", "player", frozenset({"update:score"}), session="phone"),
        Principal("game", "安 nn/é", "player", frozenset()),
        Principal("game", "backend", "server", frozenset({"update:score", "another:permission"})),
        Principal(ALL_APPS, "root", "admin", frozenset({"admin"})),
    ],
)
async def test_a_token_speaks_for_whom_it_was_issued(tokens: TokenBackend, principal: Principal) -> None:
    token = await tokens.issuer.issue(principal, 60)
    for _ in range(2):
        assert await tokens.authenticator.authenticate(token) == principal


async def test_a_token_is_good_for_its_time_and_no_longer(tokens: TokenBackend) -> None:
    known, unknown = await tokens.issuer.issue(ANN, 60), await tokens.issuer.issue(ANN, 61)
    await tokens.authenticator.authenticate(known)
    tokens.pass_time(59)
    assert await tokens.authenticator.authenticate(known) == ANN
    tokens.pass_time(2)
    for token in (known, unknown):
        with pytest.raises(Unauthenticated):
            await tokens.authenticator.authenticate(token)


async def test_a_token_of_another_issuer_is_refused(tokens: TokenBackend) -> None:
    await refused(tokens.authenticator, await tokens.another().issue(ANN, 60))


async def test_a_token_with_any_character_changed_is_refused(tokens: TokenBackend) -> None:
    token = await tokens.issuer.issue(ANN, 60)
    for at in range(len(token) - 1):  # the last may have bits that mean nothing
        await refused(tokens.authenticator, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])


@pytest.mark.parametrize("token", ["", " ", "token", "\0", "é", "\ud800", "a.b.c", "x" * 100_000])
async def test_what_is_no_token_is_left_to_others(tokens: TokenBackend, token: str) -> None:
    assert await tokens.authenticator.authenticate(token) is None


async def test_a_renewed_token_has_the_receipts_of_the_one_before(tokens: TokenBackend) -> None:
    first = await tokens.authenticator.authenticate(await tokens.issuer.issue(ANN, 60))
    tokens.pass_time(30)
    again = await tokens.authenticator.authenticate(await tokens.issuer.issue(ANN, 60))
    assert first is not None
    assert again is not None
    assert again.name == first.name
