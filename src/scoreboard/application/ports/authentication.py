"""Principals, and the ports that recognise and issue their credentials."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["player", "server", "admin"]

ALL_APPS = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request: `subject` in `app` (EVERY_APP for the operator).

    A player acts for itself, a server or an admin for every player of the app. `permissions` are open: the policy table
    says which ones count. `session` is the one that the credential belongs to, None for a credential without one.
    `name` is what receipts are kept under: it survives the renewal of a token or session.
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

        Raises Unauthenticated for a token of its own that is forged, expired or not valid yet.
        """
        ...


class TokenIssuer(Protocol):
    async def issue(self, principal: Principal, ttl_s: int) -> str:
        """Return a token for this principal that is valid for `ttl_s` seconds."""
        ...
