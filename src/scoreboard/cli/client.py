"""HTTP clients of the commands."""

from collections.abc import Mapping
from typing import Any

from scoreboard.cli import output
from scoreboard.cli.errors import CommandError, RequestRefused, Unreachable
from scoreboard.client.errors import ScoreboardClientError, TransportError, UnexpectedResponse
from scoreboard.client.requests import Request
from scoreboard.client.transport import Transport

JSON_OBJECT: Any = dict[str, Any] | None
RETRIED = frozenset({429, 500, 502, 503, 504})


class Client:
    """Client that sends each request once.

    `server` identifies the server. `served` is false when the command itself opened the data folder.
    """

    def __init__(self, transport: Transport, server: str, *, served: bool) -> None:
        self.transport = transport
        self.server = server
        self.served = served

    async def call(
        self,
        method: str,
        *path: str,
        body: object = None,
        query: Mapping[str, str | int | None] | None = None,
        response: Any = JSON_OBJECT,
        prefix: str = "/v1",
    ) -> Any:
        """Send a request and return its decoded response.

        Each of `path` is one segment below `prefix`, with any characters. Parameters of `query` that are None are left
        out. Raises Unreachable or RequestRefused.
        """
        return await self._send(Request(method, path, response, query or {}, body, prefix=prefix))

    async def _send(self, request: Request[Any]) -> Any:
        try:
            return await self.transport.once(request)
        except ScoreboardClientError as error:
            raise to_command_error(error) from error


class RetryingClient(Client):
    """Client that repeats idempotent requests until the server responds.

    Raises CommandError after `patience_s` without a response; the server may have handled the request.
    """

    def __init__(self, client: Client, patience_s: float) -> None:
        super().__init__(client.transport, client.server, served=client.served)
        self._patience_s = patience_s

    async def _send(self, request: Request[Any]) -> Any:
        try:
            return await self.transport.send(request, self._patience_s, _is_retryable, _note_first_failure)
        except ScoreboardClientError as error:
            failure = to_command_error(error)
            if _is_retryable(error):
                raise CommandError(f"gave up after {self._patience_s:g} s: {failure}") from error
            raise failure from error


def to_command_error(error: ScoreboardClientError) -> Unreachable | RequestRefused:
    """Return the command error for an error of the client library."""
    if isinstance(error, TransportError | UnexpectedResponse):
        return Unreachable(error.detail)
    return RequestRefused(error.status, error.code, error.detail)


def _is_retryable(error: ScoreboardClientError) -> bool:
    return isinstance(error, TransportError | UnexpectedResponse) or error.status in RETRIED


def _note_first_failure(error: ScoreboardClientError, failures: int) -> None:
    if failures == 1 and isinstance(error, TransportError | UnexpectedResponse):
        output.note(f"{error.detail} Trying again ...")
