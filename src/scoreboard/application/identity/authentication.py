"""Authentication: whose token this is, asked of several authenticators in order."""

from collections.abc import Sequence

from scoreboard.application.ports.authentication import Authenticator, Principal
from scoreboard.domain import codes


async def authenticate(authenticators: Sequence[Authenticator], token: str) -> Principal:
    """Return the principal of a token. Raises Unauthenticated for one that is not valid or that nobody recognises."""
    for authenticator in authenticators:
        principal = await authenticator.authenticate(token)
        if principal is not None:
            return principal
    raise codes.TOKEN_INVALID.error("this token is not valid here")
