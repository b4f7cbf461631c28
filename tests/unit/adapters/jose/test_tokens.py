import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from scoreboard.adapters.jose.tokens import KEY_BYTES, MAX_TOKEN_CHARS, JwtAuthenticator, signing_key
from scoreboard.application.ports.authentication import Principal
from scoreboard.domain.errors import Unauthenticated

KEY = b"k" * KEY_BYTES
NOW = 1_000_000
GOOD = {"iss": "scoreboard", "app": "game", "sub": "ann", "role": "player", "scope": "update:score", "exp": NOW + 60}


class Seconds:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def jwts(seconds: Seconds) -> JwtAuthenticator:
    return JwtAuthenticator(KEY, seconds)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Any, key: bytes = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm}, claims, OctKey.import_key(key), algorithms=[algorithm])


async def code(jwts: JwtAuthenticator, token: str) -> str | None:
    """Return the code of the refusal, or None for a token of another issuer."""
    try:
        assert await jwts.authenticate(token) is None
    except Unauthenticated as refusal:
        return refusal.code
    return None


class TestTokens:
    async def test_a_token_signed_with_the_key_is_accepted(self, jwts: JwtAuthenticator) -> None:
        assert await jwts.authenticate(signed(GOOD)) == Principal("game", "ann", "player", frozenset({"update:score"}))

    async def test_a_token_of_another_key_is_refused(self, jwts: JwtAuthenticator) -> None:
        assert await code(jwts, signed(GOOD, b"x" * KEY_BYTES)) == "token_invalid"

    @pytest.mark.parametrize("algorithm", ["none", "None", "nonE", ""])
    async def test_a_token_without_a_signature_is_refused(self, jwts: JwtAuthenticator, algorithm: str) -> None:
        for signature in ("", signed(GOOD).rpartition(".")[2]):
            assert await code(jwts, f"{part({'alg': algorithm})}.{part(GOOD)}.{signature}") == "token_invalid"

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    async def test_a_token_of_another_algorithm_is_refused(self, jwts: JwtAuthenticator, algorithm: str) -> None:
        assert await code(jwts, signed(GOOD, algorithm=algorithm)) == "token_invalid"

    @pytest.mark.parametrize("claim", sorted(GOOD.keys() - {"iss"}))
    @pytest.mark.parametrize("value", [None, [], {}])
    async def test_a_token_that_lacks_a_claim_is_refused(self, jwts: JwtAuthenticator, claim: str, value: Any) -> None:
        without = {name: given for name, given in GOOD.items() if name != claim}
        assert await code(jwts, signed(without)) == "token_invalid"
        assert await code(jwts, signed({**GOOD, claim: value})) == "token_invalid"

    @pytest.mark.parametrize("claims", [{"role": "root"}, {"exp": "later"}, {"nbf": NOW + 1}, {"sid": 1}])
    async def test_a_token_with_an_invalid_claim_is_refused(
        self, jwts: JwtAuthenticator, claims: dict[str, Any]
    ) -> None:
        assert await code(jwts, signed({**GOOD, **claims})) == "token_invalid"

    async def test_unknown_scopes_are_kept(self, jwts: JwtAuthenticator) -> None:
        principal = await jwts.authenticate(signed({**GOOD, "scope": "read:leaderboard root  *"}))
        assert principal is not None
        assert principal.permissions == {"read:leaderboard", "root", "*"}

    @pytest.mark.parametrize("issuer", ["another", None, [], {}, 1])
    async def test_a_token_of_another_issuer_is_ignored(self, jwts: JwtAuthenticator, issuer: Any) -> None:
        assert await code(jwts, signed({**GOOD, "iss": issuer})) is None
        assert await code(jwts, signed({name: claim for name, claim in GOOD.items() if name != "iss"})) is None

    @pytest.mark.parametrize(
        "token",
        [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "é.é.é",
            "\ud800.e30.e30",
            "a.b.c.d.e",
            f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{part(b'1')}.{part(b'2')}.{part(b'3')}",
            f"{part([])}.{part(GOOD)}.{part(b'x')}",
            f"{part({'alg': ['HS256']})}.{part(GOOD)}.{part(b'x')}",
            f"{part({'alg': 'HS256', 'crit': ['b64'], 'b64': False})}.{part(GOOD)}.{part(b'x')}",
            f"{part(b'[' * 3_000)}.e30.e30",
            "x" * (MAX_TOKEN_CHARS + 1),
        ],
    )
    async def test_a_malformed_token_is_refused(self, jwts: JwtAuthenticator, token: str) -> None:
        assert await code(jwts, token) in {None, "token_invalid"}

    @pytest.mark.parametrize("payload", [[], "text", 1, None, True])
    async def test_a_signed_payload_that_is_no_object_is_ignored(self, jwts: JwtAuthenticator, payload: Any) -> None:
        from joserfc import jws  # noqa: PLC0415 - only for this test

        token = jws.serialize_compact({"alg": "HS256"}, json.dumps(payload), OctKey.import_key(KEY))
        assert await code(jwts, token) is None


class TestCache:
    async def test_a_cached_token_expires(self, jwts: JwtAuthenticator, seconds: Seconds) -> None:
        token = signed(GOOD)
        await jwts.authenticate(token)
        seconds.now = NOW + 59.9
        await jwts.authenticate(token)
        seconds.now = NOW + 60
        for _ in range(2):
            assert await code(jwts, token) == "token_expired"

    async def test_the_cache_is_bounded(self, seconds: Seconds) -> None:
        jwts = JwtAuthenticator(KEY, seconds, cached=3)
        for n in range(10):
            await jwts.authenticate(signed({**GOOD, "sub": str(n)}))
        assert len(jwts.verified) == 3

    async def test_refused_tokens_are_not_cached(self, jwts: JwtAuthenticator) -> None:
        for token in ("", "a.b.c", signed(GOOD, b"x" * KEY_BYTES), signed({**GOOD, "exp": NOW})):
            await code(jwts, token)
        assert not jwts.verified


class TestKey:
    def test_the_key_is_created_once_and_readable_only_by_its_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "token.key"
        key = signing_key(path)
        assert len(key) == KEY_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert signing_key(path) == key

    def test_each_folder_has_its_key(self, tmp_path: Path) -> None:
        assert signing_key(tmp_path / "a") != signing_key(tmp_path / "b")

    @pytest.mark.parametrize("written", [b"", b"k" * (KEY_BYTES - 1)])
    def test_an_incomplete_key_is_replaced_or_refused(self, tmp_path: Path, written: bytes) -> None:
        path = tmp_path / "token.key"
        path.write_bytes(written)
        try:
            key = signing_key(path)
        except (OSError, ValueError):
            return
        assert len(key) >= KEY_BYTES
