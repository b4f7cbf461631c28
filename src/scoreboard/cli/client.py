"""HTTP client of the commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoreboard.cli import output
from scoreboard.cli.errors import CommandError, RequestRefused
from scoreboard.client.errors import ScoreboardClientError, TransportError, UnexpectedResponse
from scoreboard.client.requests import Request
from scoreboard.client.transport import Transport

JSON_OBJECT: Any = dict[str, Any] | None
RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Client:
    """Connection to a server.

    `server` identifies the server. `served` is false when the command itself opened the data folder. Each request is
    sent once. With `patience_s`, which is for idempotent requests, it is repeated until the server responds.
    """

    transport: Transport
    server: str
    served: bool
    patience_s: float | None = None

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
        out. Raises RequestRefused, and CommandError without a response; the server may have handled the request.
        """
        request = Request(method, path, response, query or {}, body, prefix=prefix)
        try:
            if self.patience_s is None:
                return await self.transport.once(request)
            return await self.transport.send(request, self.patience_s, _is_retryable, _note_first_failure)
        except ScoreboardClientError as error:
            failure = to_command_error(error)
            if self.patience_s is not None and _is_retryable(error):
                raise CommandError(f"gave up after {self.patience_s:g} s: {failure}") from error
            raise failure from error


def to_command_error(error: ScoreboardClientError) -> CommandError:
    """Return the command error for an error of the client library."""
    if isinstance(error, TransportError | UnexpectedResponse):
        return CommandError(error.detail)
    return RequestRefused(error.status, error.code, error.detail)


def _is_retryable(error: ScoreboardClientError) -> bool:
    return isinstance(error, TransportError | UnexpectedResponse) or error.status in RETRIED


def _note_first_failure(error: ScoreboardClientError, failures: int) -> None:
    if failures == 1 and isinstance(error, TransportError | UnexpectedResponse):
        output.note(f"{error.detail} Trying again ...")
