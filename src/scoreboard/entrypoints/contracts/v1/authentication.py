"""Authentication of `/v1`: a token in the header `Authorization: Bearer`."""

from urllib.parse import parse_qs

from scoreboard.application.ports.authentication import Access, Credential
from scoreboard.domain.errors import Unauthenticated
from scoreboard.entrypoints.http.request import Request


class BearerAuthentication:
    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, request: Request) -> Credential | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_invalid", "send the token as Authorization: Bearer <token>")
        return self._access.verify(token)


class LiveAuthentication:
    """The token in the header, or else in the query: browsers cannot set headers of a WebSocket or an EventSource."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, request: Request) -> Credential | None:
        header = request.headers.get("Authorization", "")
        if header[:7].lower() == "bearer ":
            return self._access.verify(header[7:])
        tokens = parse_qs(request.raw_path.partition("?")[2]).get("token")
        return None if tokens is None else self._access.verify(tokens[0])
