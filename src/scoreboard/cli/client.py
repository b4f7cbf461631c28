"""HTTP clients of the commands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from scoreboard.cli import output
from scoreboard.cli.errors import CommandError, RequestRefused, Unreachable
from scoreboard.client.errors import ScoreboardClientError, TransportError, UnexpectedResponse
from scoreboard.client.requests import Request
from scoreboard.client.transport import Transport
from scoreboard.concurrency.backoff import Backoff

TIMEOUT_S = 60.0
JSON_OBJECT: Any = dict[str, Any] | None
BACKOFF = Backoff(first_s=0.1, longest_s=5.0)
RETRIED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class Client:
    """Client that sends each request once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def base(self) -> str:
        """Address of the server."""
        return self._transport.base

    async def call(
        self,
        method: str,
        *path: str,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
        response: Any = JSON_OBJECT,
    ) -> Any:
        """Send a request and return its decoded response.

        Each of `path` is one segment below `/v1`, whatever characters it has. Parameters of `query` that are None are
        left out. Raises Unreachable or RequestRefused.
        """
        return await self._send(Request(method, path, response, query or {}, body))

    async def get(self, path: str) -> Any:
        """Return the JSON at a path outside `/v1`."""
        return await self._send(_RawPath("GET", (path,), JSON_OBJECT))

    async def _send(self, request: Request[Any]) -> Any:
        try:
            return await self._transport.once(request)
        except ScoreboardClientError as error:
            raise to_command_error(error) from error


class _RawPath(Request[Any]):
    @property
    def target(self) -> str:
        return self.path[0]


class RetryingClient:
    """Client that repeats requests, which must be idempotent, until the server responds."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s

    async def call(self, method: str, *path: str, **options: Any) -> Any:
        """Send a request like `Client.call`.

        Raises RequestRefused when a repetition would be refused too. Raises CommandError after `patience_s` without a
        response; the server may have handled the request.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._patience_s
        failures = 0
        while True:
            try:
                return await self._client.call(method, *path, **options)
            except (Unreachable, RequestRefused) as error:
                if isinstance(error, RequestRefused) and error.status not in RETRIED:
                    raise
                failures += 1
                pause = BACKOFF.pause_s(failures, error.retry_after_s if isinstance(error, RequestRefused) else None)
                if now() + pause > deadline:
                    raise CommandError(f"gave up after {self._patience_s:g} s: {error}") from error
                if failures == 1 and isinstance(error, Unreachable):
                    output.note(f"{error} Trying again ...")
            await asyncio.sleep(pause)


def to_command_error(error: ScoreboardClientError) -> Unreachable | RequestRefused:
    """Return the command error for an error of the client library."""
    if isinstance(error, TransportError | UnexpectedResponse):
        return Unreachable(error.detail)
    return RequestRefused(error.status, error.code, error.detail, error.retry_after_s)


@asynccontextmanager
async def open_client(locate: Callable[[], str | None], token: Callable[[], str | None]) -> AsyncIterator[Client]:
    """Open a client with its own connections."""
    transport = Transport(locate, token, TIMEOUT_S)
    try:
        yield Client(transport)
    finally:
        await transport.close()
