"""Client: the HTTP API as calls. JSON in, JSON out; a problem becomes RequestRefused, silence Unreachable."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from scoreboard.cli.errors import RequestRefused, Unreachable
from scoreboard.client.errors import NoAnswer, NotScoreboard, ScoreboardClientError
from scoreboard.client.requests import Request
from scoreboard.client.transport import Transport

TIMEOUT_S = 60.0
ANSWER: Any = dict[str, Any] | None


class Client:
    """Each call is one request: what to do when it fails is the command's to decide."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def base(self) -> str:
        """Where the server is."""
        return self._transport.base

    async def call(
        self,
        method: str,
        *path: str,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
        answer: Any = ANSWER,
    ) -> Any:
        """The answer's JSON as an `answer`, None when it has none. Each of `path` is one segment below `/v1`, whatever
        it contains; what is None in `query` is left out."""
        return await self._once(Request(method, path, answer, query or {}, body))

    async def get(self, path: str) -> Any:
        """The JSON at an address of the service outside `/v1`."""
        return await self._once(_Outside("GET", (path,), ANSWER))

    async def _once(self, request: Request[Any]) -> Any:
        try:
            return await self._transport.once(request)
        except ScoreboardClientError as error:
            raise told(error) from error


class _Outside(Request[Any]):
    @property
    def target(self) -> str:
        return self.path[0]


def told(error: ScoreboardClientError) -> Unreachable | RequestRefused:
    """The error as commands end with it."""
    if isinstance(error, NoAnswer | NotScoreboard):
        return Unreachable(error.detail)
    return RequestRefused(error.status, error.code, error.detail, error.retry_after_s)


@asynccontextmanager
async def client(locate: Callable[[], str | None], token: Callable[[], str | None]) -> AsyncIterator[Client]:
    """A Client with connections of its own, closed in the end."""
    transport = Transport(locate, token, TIMEOUT_S)
    try:
        yield Client(transport)
    finally:
        await transport.close()


def renewed(mint: Callable[[], str], every_s: float) -> Callable[[], str]:
    """A token that is minted anew when the last is `every_s` old: a command may run for days."""
    token, minted_at = "", float("-inf")

    def current() -> str:
        nonlocal token, minted_at
        if time.monotonic() - minted_at > every_s:
            token, minted_at = mint(), time.monotonic()
        return token

    return current
