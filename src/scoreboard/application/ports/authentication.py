"""Who is asking."""

from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["player", "server", "admin"]
Scope = Literal["update:score", "read:leaderboard", "admin"]

EVERY_APP = "*"


@dataclass(frozen=True, slots=True)
class Credential:
    """Who a token speaks for: `subject` in `app` (EVERY_APP for the operator). `name` is what receipts are kept under:
    it stays the same when a token is renewed."""

    app: str
    subject: str
    role: Role
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.role}:{self.subject}"


class Access(Protocol):
    def verify(self, token: str) -> Credential:
        """Whose token this is. Raises Unauthenticated for one that is malformed, forged, expired or not yet valid."""
        ...

    def mint(self, credential: Credential, ttl_s: int) -> str:
        """A token for this credential, good for `ttl_s` seconds."""
        ...
