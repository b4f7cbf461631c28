"""JWTs of this service, signed with a key that is created at the first start."""

import base64
import contextlib
import json
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

from scoreboard.application.ports.authentication import Principal, Role
from scoreboard.domain import codes

ISSUER = "scoreboard"
ALGORITHM = "HS256"
KEY_BYTES = 32
MAX_TOKEN_CHARS = 4_096
CACHED = 20_000  # verified tokens, about 600 bytes each


def signing_key(path: Path) -> bytes:
    """Return the key in this file, which is created (mode 0600) if it is missing."""
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) >= KEY_BYTES:
            return key
        path.unlink()  # it was not completely written, so no token was signed with it
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(descriptor)
    with contextlib.suppress(FileExistsError):  # another process has created the key
        os.link(new, path)
    os.unlink(new)  # noqa: PTH108 - mkstemp returns a text
    return path.read_bytes()


class JwtIssuer:
    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(key)
        self.clock = clock

    async def issue(self, principal: Principal, ttl_s: int) -> str:
        return self.sign(principal, ttl_s)

    def sign(self, principal: Principal, ttl_s: int) -> str:
        """Issue a token outside an event loop, as the command line does."""
        now = int(self.clock())
        claims = {
            "iss": ISSUER,
            "app": principal.app,
            "sub": principal.subject,
            "role": principal.role,
            "scope": " ".join(sorted(principal.permissions)),
            "iat": now,
            "exp": now + ttl_s,
        }
        if principal.session is not None:
            claims["sid"] = principal.session
        return jwt.encode({"alg": ALGORITHM}, claims, self._key)


class JwtAuthenticator:
    """Authenticator that verifies each token once, and caches it until it expires."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time, cached: int = CACHED) -> None:
        self._key = OctKey.import_key(key)
        self.clock = clock
        self._cached = cached
        self.verified: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def authenticate(self, token: str) -> Principal | None:
        verified = self.verified.get(token)
        if verified is None:
            if len(token) > MAX_TOKEN_CHARS or not _names_issuer(token):
                return None
            verified = self.verified[token] = self._verify(token)
            if len(self.verified) > self._cached:
                self.verified.popitem(last=False)
        if verified[0] <= self.clock():
            del self.verified[token]
            raise codes.TOKEN_EXPIRED.error("this token has expired; get a new one")
        return verified[1]

    def _verify(self, token: str) -> tuple[float, Principal]:
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise codes.TOKEN_INVALID.error(
                "this token is not valid on this server; create one with scoreboard token"
            ) from error
        return _principal(claims, self.clock())


def _names_issuer(token: str) -> bool:
    """Return True if the payload, not yet verified, names this service as the issuer."""
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(claims, dict) and claims.get("iss") == ISSUER


def _principal(claims: dict[str, Any], now: float) -> tuple[float, Principal]:
    """Return the expiry of the token, and its principal."""
    expires = claims.get("exp")
    app, subject, role, scope = (claims.get(name) for name in ("app", "sub", "role", "scope"))
    texts = all(isinstance(text, str) for text in (app, subject, role, scope))
    if not texts or role not in get_args(Role) or not isinstance(expires, int | float):
        raise codes.TOKEN_INVALID.error("this token lacks a claim: app, sub, role, scope and exp are required")
    not_before, session = claims.get("nbf", 0), claims.get("sid")
    if not isinstance(not_before, int | float) or not_before > now:
        raise codes.TOKEN_INVALID.error("this token is not valid yet")
    if session is not None and not isinstance(session, str):
        raise codes.TOKEN_INVALID.error("the claim sid of this token must be a string")
    permissions = frozenset(str(scope).split())
    return expires, Principal(str(app), str(subject), cast("Role", role), permissions, session)
