"""Principals, and the ports that verify and issue their tokens."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["player", "server", "admin"]

ALL_APPS = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated sender of a request, in an app.

    `app` is ALL_APPS for the operator. A player acts for itself; a server or an admin acts for every player of the app.
    `permissions` may contain any string; the policy table lists the ones that count. `session` is None for a credential
    without a session. Receipts are stored under `name`, which stays the same when a token or session is renewed.
    """

    app: str
    subject: str
    role: Role
    permissions: frozenset[str]
    session: str | None = None
    name: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        role = "operator" if self.app == ALL_APPS else self.role
        object.__setattr__(self, "name", f"{role}:{self.subject}")


class Authenticator(Protocol):
    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal of a token, or None for a token of another kind or issuer.

        Raises Unauthenticated for a token that is forged, expired or not valid yet.
        """


class TokenIssuer(Protocol):
    async def issue(self, principal: Principal, ttl_s: int) -> str:
        """Return a token for this principal that is valid for `ttl_s` seconds."""
