"""Target: which server a command speaks to, and how it gets there."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cyclopts import Parameter

from scoreboard.bootstrap import service, settings
from scoreboard.bootstrap.serve import logging_to_stderr, running_url
from scoreboard.cli.client import Client, client, renewed
from scoreboard.cli.errors import UsageError

T = TypeVar("T")

URL_VARIABLE, TOKEN_VARIABLE = "SCOREBOARD_URL", "SCOREBOARD_TOKEN"
LOCAL_SUBJECT = "cli"  # one name for ever: idempotency keys are kept under it
TOKEN_TTL_S, TOKEN_RENEWED_S = 3_600, 600


@Parameter(name="*", group="Server")
@dataclass(frozen=True)
class Target:
    """Where a command works: in the data folder of this machine, or at a server's address."""

    data: Path | None = None
    """Data folder (or SCOREBOARD_DATA). The command speaks to the `serve` there, or opens the folder itself."""
    url: str | None = None
    """Address of a server elsewhere (or SCOREBOARD_URL), such as https://scores.example.com."""
    token: str | None = None
    """Admin token for that server; SCOREBOARD_TOKEN does not show in the list of processes."""


@dataclass(frozen=True)
class Connection:
    """A way to speak to the server. `name` tells servers apart: the address, or the folder."""

    client: Client
    name: str


@dataclass(frozen=True)
class _Remote:
    url: str
    token: str


@asynccontextmanager
async def connected(target: Target | None) -> AsyncIterator[Connection]:
    """Raises UsageError, SettingsError, FolderLocked or FolderUnusable when there is no way."""
    target = target or Target()
    remote = _remote(target)
    if remote is not None:
        async with client(lambda: remote.url, lambda: remote.token) as speaking:
            yield Connection(speaking, remote.url)
        return
    local = settings.load(data=target.data)
    name = str(local.data.absolute())
    token = renewed(lambda: _operator_token(local), TOKEN_RENEWED_S)
    if running_url(local) is not None:
        async with client(lambda: running_url(local), token) as speaking:
            yield Connection(speaking, name)
        return
    logging_to_stderr("warning")
    async with (
        service.opened(local) as opened,
        service.listening(opened, "127.0.0.1", 0) as url,
        client(lambda: url, token) as speaking,
    ):
        yield Connection(speaking, name)


async def ask(target: Target | None, method: str, *path: str, body: object = None) -> Any:
    """One call, with a connection for it."""
    async with connected(target) as connection:
        return await connection.client.call(method, *path, body=body)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on the loop that the server is made for."""
    with asyncio.Runner(loop_factory=_loops()) as runner:
        return runner.run(work)


def _loops() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - it does not exist for Windows

    return uvloop.new_event_loop


def _operator_token(local: settings.Settings) -> str:
    return service.mint(local, role="admin", app="*", subject=LOCAL_SUBJECT, ttl_s=TOKEN_TTL_S)


def _remote(target: Target) -> _Remote | None:
    """The server elsewhere that is meant, if any. Options count before the environment."""
    if target.data is not None:
        if target.url is not None:
            raise UsageError("give --data or --url, not both")
        if target.token is not None:
            raise UsageError("--token belongs to --url; with --data the command makes its own")
        return None
    url = target.url or os.environ.get(URL_VARIABLE)
    if not url:
        if target.token is not None:
            raise UsageError(f"--token needs the server's address too: --url or {URL_VARIABLE}")
        return None
    token = target.token or os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise UsageError(f"{url} needs an admin token: --token or {TOKEN_VARIABLE}")
    return _Remote(_checked(url), token)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not a server's address; one looks like http://127.0.0.1:8000")
    return url.rstrip("/")
