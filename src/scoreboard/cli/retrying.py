"""Retrying: the same request again, until there is an answer or patience ends."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

from scoreboard.cli import show
from scoreboard.cli.client import Client
from scoreboard.cli.errors import CommandError, RequestRefused, Unreachable, UsageError
from scoreboard.concurrency.backoff import Backoff

T = TypeVar("T")

RETRIED = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
BACKOFF = Backoff(first_s=0.1, longest_s=5.0)


def checked_patience(seconds: float) -> float:
    """Raises UsageError for what nobody can wait."""
    if not seconds >= 0:
        raise UsageError("--patience is 0 seconds or more")
    return seconds


class Patient:
    """A client that asks again, as `answered` does."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s

    async def call(self, method: str, *path: str, **more: Any) -> Any:
        """As `Client.call`."""
        return await answered(lambda: self._client.call(method, *path, **more), self._patience_s)


async def answered(request: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """The answer. The request must be one that may be sent again. Raises RequestRefused when the server will have none
    of it, CommandError when there is no answer for `patience_s`: whether it was carried out is not known then."""
    now = asyncio.get_running_loop().time
    given_up_at = now() + patience_s
    failures = 0
    while True:
        try:
            return await request()
        except (Unreachable, RequestRefused) as error:
            if isinstance(error, RequestRefused) and error.status not in RETRIED:
                raise
            failures += 1
            pause = BACKOFF.pause_s(failures, error.retry_after_s if isinstance(error, RequestRefused) else None)
            if now() + pause > given_up_at:
                raise CommandError(f"gave up after {patience_s:g} s: {error}") from error
            if failures == 1 and not isinstance(error, RequestRefused):
                show.note(f"{error} Trying again ...")
            await asyncio.sleep(pause)
