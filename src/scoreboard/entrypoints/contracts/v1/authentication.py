"""Authentication of `/v1`: a token in the header `Authorization: Bearer`."""

from collections.abc import Sequence
from urllib.parse import parse_qs

from aiohttp import web

from scoreboard.application.identity.authentication import authenticate
from scoreboard.application.ports.authentication import Authenticator, Principal
from scoreboard.domain import codes
from scoreboard.entrypoints.http.contract import Authenticate


def bearer(authenticators: Sequence[Authenticator]) -> Authenticate:
    """Return authentication by the token in the header."""

    async def principal(request: web.BaseRequest) -> Principal | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise codes.TOKEN_INVALID.error(
                "the Authorization header has no token; send it as Authorization: Bearer <token>"
            )
        return await authenticate(authenticators, token)

    return principal


def bearer_or_query(authenticators: Sequence[Authenticator]) -> Authenticate:
    """Return authentication by the token in the header, or else in the query.

    Browsers cannot set the headers of a WebSocket or an EventSource.
    """

    async def principal(request: web.BaseRequest) -> Principal | None:
        header = request.headers.get("Authorization", "")
        if header[:7].lower() == "bearer ":
            return await authenticate(authenticators, header[7:])
        tokens = parse_qs(request.raw_path.partition("?")[2], keep_blank_values=True).get("token")
        return None if tokens is None else await authenticate(authenticators, tokens[0])

    return principal
