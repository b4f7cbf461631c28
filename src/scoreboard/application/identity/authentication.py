"""Authentication: the step that turns a token into a principal."""

from collections.abc import Sequence

from scoreboard.application.ports.authentication import Authenticator, Principal
from scoreboard.domain import codes


async def authenticate(authenticators: Sequence[Authenticator], token: str) -> Principal:
    """Ask each authenticator for the token's principal. Raises Unauthenticated."""
    for authenticator in authenticators:
        principal = await authenticator.authenticate(token)
        if principal is not None:
            return principal
    raise codes.TOKEN_INVALID.error("this token is not valid on this server; create one with scoreboard token")
