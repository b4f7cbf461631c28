"""JwtAccess: tokens of our own, signed with a key that is made at the first start."""

import contextlib
import os
import secrets
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from scoreboard.application.ports.authentication import Credential, Role, Scope
from scoreboard.domain.errors import Unauthenticated

ISSUER = "scoreboard"
ALGORITHM = "HS256"
KEY_BYTES = 32
MAX_TOKEN_CHARS = 4_096
CACHED = 20_000  # verified tokens, some 600 bytes each


def signing_key(path: Path) -> bytes:
    """The key in this file, made (mode 0600) when there is none yet."""
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) >= KEY_BYTES:
            return key
        path.unlink()  # its making was interrupted before anything was signed with it
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(descriptor)
    with contextlib.suppress(FileExistsError):  # another process was first: its key counts
        os.link(made, path)
    os.unlink(made)  # noqa: PTH108 - as mkstemp gave it
    return path.read_bytes()


class JwtAccess:
    """A token that was verified once is known by its text until it expires: its signature is checked once."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(key)
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Credential]] = OrderedDict()

    def verify(self, token: str) -> Credential:
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._verify(token)
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        if known[0] <= self._clock():
            del self._known[token]
            raise Unauthenticated("token_expired", "this token has expired; get a new one")
        return known[1]

    def mint(self, credential: Credential, ttl_s: int) -> str:
        now = int(self._clock())
        claims = {
            "iss": ISSUER,
            "app": credential.app,
            "sub": credential.subject,
            "role": credential.role,
            "scope": " ".join(sorted(credential.scopes)),
            "iat": now,
            "exp": now + ttl_s,
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key)

    def _verify(self, token: str) -> tuple[float, Credential]:
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("token_invalid", "this token is not valid here")
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unauthenticated("token_invalid", "this token is not valid here") from error
        return _credential(claims, self._clock())


def _credential(claims: dict[str, Any], now: float) -> tuple[float, Credential]:
    expires = claims.get("exp")
    app, subject, role, scope = (claims.get(name) for name in ("app", "sub", "role", "scope"))
    texts = all(isinstance(text, str) for text in (app, subject, role, scope))
    if claims.get("iss") != ISSUER or not texts or role not in get_args(Role) or not isinstance(expires, int | float):
        raise Unauthenticated(
            "token_invalid", "this token lacks a claim: iss, app, sub, role, scope and exp are needed"
        )
    not_before = claims.get("nbf", 0)
    if not isinstance(not_before, int | float) or not_before > now:
        raise Unauthenticated("token_invalid", "this token is not valid yet")
    scopes = frozenset(str(scope).split()) & frozenset(get_args(Scope))
    return expires, Credential(str(app), str(subject), cast("Role", role), scopes)
