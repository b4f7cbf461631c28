"""Choice of the server that a command uses, and the connection to it."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cyclopts import Parameter

from scoreboard.bootstrap import mounting, service, settings, tokens
from scoreboard.bootstrap.data_dir import running_url
from scoreboard.bootstrap.listening import listening
from scoreboard.bootstrap.serve import configure_logging
from scoreboard.cli.client import Client
from scoreboard.cli.errors import UsageError
from scoreboard.client.requests import checked_address, checked_token
from scoreboard.client.transport import Transport

T = TypeVar("T")

URL_VARIABLE, TOKEN_VARIABLE = f"{settings.PREFIX}URL", f"{settings.PREFIX}TOKEN"
LOCAL_SUBJECT = "cli"  # idempotency keys are stored under this name, so it never changes
TOKEN_TTL_S, TOKEN_RENEWED_S = 3_600, 600
TIMEOUT_S = 60.0  # of one request


@Parameter(name="*", group="Server")
@dataclass(frozen=True)
class Target:
    """Server or data folder that a command uses."""

    data: Path | None = None
    """Data folder (or SCOREBOARD_DATA). The command uses the `serve` that runs there, or opens the folder itself."""
    url: str | None = None
    """URL of a remote server (or SCOREBOARD_URL), such as https://scores.example.com."""
    token: str | None = None
    """Admin token for the remote server. SCOREBOARD_TOKEN is safer: the list of processes does not show it."""


DEFAULT = Target()


@dataclass(frozen=True)
class Server:
    """Running server.

    `locate` returns its present address, `token` a valid token, both None if unknown. `name` identifies the server:
    its address, or its data folder.
    """

    locate: Callable[[], str | None]
    token: Callable[[], str | None]
    name: str


def find_server(target: Target, *, reading: bool = False) -> Server | None:
    """Return the remote server or the one on the data folder, None if none runs there.

    `reading` needs no token for a remote server. Raises UsageError or SettingsError.
    """
    remote = remote_server(target, reading=reading)
    if remote is not None:
        return remote
    local = settings.load(data=target.data)
    return _local_server(local, lambda: running_url(local.data)) if running_url(local.data) is not None else None


def remote_server(target: Target, *, reading: bool = False) -> Server | None:
    """Return the server at `--url` or SCOREBOARD_URL. Options override variables."""
    if target.data is not None:
        if target.url is not None:
            raise UsageError("--data and --url cannot be used together; use one of them")
        if target.token is not None:
            raise UsageError("--token works only with --url; with --data, the command creates its own token")
        return None
    url = target.url or os.environ.get(URL_VARIABLE)
    if not url:
        if target.token is not None:
            raise UsageError(f"--token needs the URL of a server; pass --url or set {URL_VARIABLE}")
        return None
    token = target.token or os.environ.get(TOKEN_VARIABLE)
    if not token and not reading:
        raise UsageError(f"{url} needs an admin token; pass --token or set {TOKEN_VARIABLE}")
    try:
        address, token = checked_address(url), checked_token(token) if token else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Server(lambda: address, lambda: token, address)


@asynccontextmanager
async def connect(
    target: Target, *, reading: bool = False, patience_s: float | None = None, log_level: str = "warning"
) -> AsyncIterator[Client]:
    """Connect to the server, or open the data folder when no server runs on it.

    Raises UsageError, SettingsError, FolderLocked or FolderUnusable.
    """
    async with AsyncExitStack() as stack:
        server = running = find_server(target, reading=reading)
        if server is None:
            local = settings.load(data=target.data)
            configure_logging(log_level)
            parts: frozenset[mounting.Part] = frozenset({"api", "live"}) if local.database_url else mounting.PARTS
            opened = await stack.enter_async_context(service.open_service(local, parts=parts))
            url = await stack.enter_async_context(listening(opened, "127.0.0.1", 0))
            server = _local_server(local, lambda: url)
        transport = Transport(server.locate, server.token, TIMEOUT_S)
        stack.push_async_callback(transport.close)
        yield Client(transport, server.name, running is not None, patience_s)


def run_with(
    target: Target, work: Callable[[Client], Awaitable[T]], *, reading: bool = False, patience_s: float | None = None
) -> T:
    """Run `work` with a connection to the server and return its result."""

    async def connected() -> T:
        async with connect(target, reading=reading, patience_s=patience_s) as client:
            return await work(client)

    return run(connected())


def request(target: Target, method: str, *path: str, reading: bool = False, **options: Any) -> Any:
    """Send one request on its own connection and return its decoded response."""
    return run_with(target, lambda client: client.call(method, *path, **options), reading=reading)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the event loop that the service uses."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415 - it does not exist for Windows

    return uvloop.run(work)


def _local_server(local: settings.Settings, locate: Callable[[], str | None]) -> Server:
    token, minted_at = "", float("-inf")

    def current_token() -> str:
        """Renew the token before it expires: a command may run for days."""
        nonlocal token, minted_at
        if time.monotonic() - minted_at > TOKEN_RENEWED_S:
            token = tokens.issue(local, role="admin", app="*", subject=LOCAL_SUBJECT, ttl_s=TOKEN_TTL_S)
            minted_at = time.monotonic()
        return token

    return Server(locate, current_token, str(local.data.absolute()))
