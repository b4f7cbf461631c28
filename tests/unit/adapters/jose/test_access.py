import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from scoreboard.adapters.jose import access as access_module
from scoreboard.adapters.jose.access import KEY_BYTES, JwtAccess, signing_key
from scoreboard.application.ports.authentication import Credential
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
def access(seconds: Seconds) -> JwtAccess:
    return JwtAccess(KEY, seconds)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Any, key: bytes = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm}, claims, OctKey.import_key(key), algorithms=[algorithm])


def code(access: JwtAccess, token: str) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        access.verify(token)
    return refusal.value.code


class TestTokens:
    def test_a_token_signed_with_the_key_speaks_for_its_claims(self, access: JwtAccess) -> None:
        assert access.verify(signed(GOOD)) == Credential("game", "ann", "player", frozenset({"update:score"}))

    def test_a_token_of_another_key_is_refused(self, access: JwtAccess) -> None:
        assert code(access, signed(GOOD, b"x" * KEY_BYTES)) == "token_invalid"

    @pytest.mark.parametrize("algorithm", ["none", "None", "nonE", ""])
    def test_a_token_without_a_signature_is_refused(self, access: JwtAccess, algorithm: str) -> None:
        for signature in ("", signed(GOOD).rpartition(".")[2]):
            assert code(access, f"{part({'alg': algorithm})}.{part(GOOD)}.{signature}") == "token_invalid"

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_a_token_of_another_algorithm_is_refused(self, access: JwtAccess, algorithm: str) -> None:
        assert code(access, signed(GOOD, algorithm=algorithm)) == "token_invalid"

    @pytest.mark.parametrize("claim", GOOD)
    @pytest.mark.parametrize("value", [None, [], {}])
    def test_a_token_that_lacks_a_claim_is_refused(self, access: JwtAccess, claim: str, value: Any) -> None:
        without = {name: given for name, given in GOOD.items() if name != claim}
        assert code(access, signed(without)) == "token_invalid"
        assert code(access, signed({**GOOD, claim: value})) == "token_invalid"

    @pytest.mark.parametrize("claims", [{"iss": "another"}, {"role": "root"}, {"exp": "later"}, {"nbf": NOW + 1}])
    def test_a_token_with_a_claim_that_does_not_hold_is_refused(
        self, access: JwtAccess, claims: dict[str, Any]
    ) -> None:
        assert code(access, signed({**GOOD, **claims})) == "token_invalid"

    def test_scopes_that_do_not_exist_are_none(self, access: JwtAccess) -> None:
        assert access.verify(signed({**GOOD, "scope": "read:leaderboard root  *"})).scopes == {"read:leaderboard"}

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
            "x" * (access_module.MAX_TOKEN_CHARS + 1),
        ],
    )
    def test_what_is_no_token_is_refused(self, access: JwtAccess, token: str) -> None:
        assert code(access, token) == "token_invalid"

    @pytest.mark.parametrize("payload", [[], "text", 1, None, True])
    def test_a_signed_payload_that_is_no_object_is_refused(self, access: JwtAccess, payload: Any) -> None:
        from joserfc import jws  # noqa: PLC0415 - for this one

        token = jws.serialize_compact({"alg": "HS256"}, json.dumps(payload), OctKey.import_key(KEY))
        assert code(access, token) == "token_invalid"


class TestCache:
    def test_a_token_that_was_good_expires(self, access: JwtAccess, seconds: Seconds) -> None:
        token = signed(GOOD)
        access.verify(token)
        seconds.now = NOW + 59.9
        access.verify(token)
        seconds.now = NOW + 60
        for _ in range(2):
            assert code(access, token) == "token_expired"

    def test_it_is_bounded(self, access: JwtAccess, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(access_module, "CACHED", 3)
        for n in range(10):
            access.verify(signed({**GOOD, "sub": str(n)}))
        assert len(access._known) == 3

    def test_what_is_refused_takes_no_room(self, access: JwtAccess) -> None:
        for token in ("", "a.b.c", signed(GOOD, b"x" * KEY_BYTES), signed({**GOOD, "exp": NOW})):
            code(access, token)
        assert not access._known


class TestKey:
    def test_it_is_made_once_and_for_its_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "token.key"
        key = signing_key(path)
        assert len(key) == KEY_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert signing_key(path) == key

    def test_each_folder_has_its_own(self, tmp_path: Path) -> None:
        assert signing_key(tmp_path / "a") != signing_key(tmp_path / "b")

    @pytest.mark.parametrize("written", [b"", b"k" * (KEY_BYTES - 1)])
    def test_a_key_whose_making_was_interrupted_signs_nothing(self, tmp_path: Path, written: bytes) -> None:
        path = tmp_path / "token.key"
        path.write_bytes(written)
        try:
            key = signing_key(path)
        except (OSError, ValueError):
            return
        assert len(key) >= KEY_BYTES
