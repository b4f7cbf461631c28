import pytest

from scoreboard.application.ports.authentication import ALL_APPS, Authenticator, Principal
from scoreboard.domain.errors import Unauthenticated
from tests.ports.backends import TokenBackend

ANN = Principal("game", "ann", "player", frozenset({"update:score", "read:leaderboard"}))


async def assert_refused(authenticator: Authenticator, token: str) -> None:
    """Assert that a token is invalid, or of an unknown format."""
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
async def test_a_token_identifies_its_principal(tokens: TokenBackend, principal: Principal) -> None:
    token = await tokens.issuer.issue(principal, 60)
    for _ in range(2):
        assert await tokens.authenticator.authenticate(token) == principal


async def test_a_token_expires(tokens: TokenBackend) -> None:
    used, unused = await tokens.issuer.issue(ANN, 60), await tokens.issuer.issue(ANN, 61)
    await tokens.authenticator.authenticate(used)
    tokens.pass_time(59)
    assert await tokens.authenticator.authenticate(used) == ANN
    tokens.pass_time(2)
    for token in (used, unused):
        with pytest.raises(Unauthenticated):
            await tokens.authenticator.authenticate(token)


async def test_a_token_of_another_issuer_is_refused(tokens: TokenBackend) -> None:
    await assert_refused(tokens.authenticator, await tokens.another().issue(ANN, 60))


async def test_a_token_with_any_character_changed_is_refused(tokens: TokenBackend) -> None:
    token = await tokens.issuer.issue(ANN, 60)
    for at in range(len(token) - 1):  # the last may have unused bits
        await assert_refused(tokens.authenticator, token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])


@pytest.mark.parametrize("token", ["", " ", "token", "\0", "é", "\ud800", "a.b.c", "x" * 100_000])
async def test_a_text_of_another_format_is_left_to_other_authenticators(tokens: TokenBackend, token: str) -> None:
    assert await tokens.authenticator.authenticate(token) is None


async def test_a_renewed_token_has_the_same_receipts(tokens: TokenBackend) -> None:
    first = await tokens.authenticator.authenticate(await tokens.issuer.issue(ANN, 60))
    tokens.pass_time(30)
    again = await tokens.authenticator.authenticate(await tokens.issuer.issue(ANN, 60))
    assert first is not None
    assert again is not None
    assert again.name == first.name
