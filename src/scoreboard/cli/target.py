"""Target: which server a command speaks to, and how it gets there."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cyclopts import Parameter

from scoreboard.bootstrap import mounting, service, settings, tokens
from scoreboard.bootstrap.data_dir import running_url
from scoreboard.bootstrap.listening import listening
from scoreboard.bootstrap.serve import configure_logging
from scoreboard.cli.client import Client, client, renewed
from scoreboard.cli.errors import UsageError
from scoreboard.client.requests import checked_address, checked_token

T = TypeVar("T")

URL_VARIABLE, TOKEN_VARIABLE = f"{settings.PREFIX}URL", f"{settings.PREFIX}TOKEN"
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
class Way:
    """How to get to a server: where it is by now (None: as before), and the token for the next request. `name` tells
    servers apart: the address, or the folder."""

    locate: Callable[[], str | None]
    token: Callable[[], str | None]
    name: str


@dataclass(frozen=True)
class Connection:
    """A way to speak to the server, named as the Way to it. `served` unless there is no server but this command, which
    has opened the folder."""

    client: Client
    name: str
    served: bool = True


def way_to(target: Target | None, *, reading: bool = False) -> Way | None:
    """The server elsewhere, or the `serve` of the data folder; None when that folder is served by nobody. `reading`
    needs no token where boards are public. Raises UsageError or SettingsError."""
    target = target or Target()
    remote = elsewhere(target, reading=reading)
    if remote is not None:
        return remote
    local = settings.load(data=target.data)
    return _local(local, lambda: running_url(local.data)) if running_url(local.data) is not None else None


@asynccontextmanager
async def connected(
    target: Target | None, *, reading: bool = False, log_level: str = "warning"
) -> AsyncIterator[Connection]:
    """By the way there is, or else to the data folder, opened for that time. Raises UsageError, SettingsError,
    FolderLocked or FolderUnusable when there is no way."""
    way = way_to(target, reading=reading)
    if way is not None:
        async with client(way.locate, way.token) as speaking:
            yield Connection(speaking, way.name)
        return
    local = settings.load(data=(target or Target()).data)
    configure_logging(log_level)
    parts: frozenset[mounting.Part] = frozenset({"api", "live"}) if local.database_url else mounting.PARTS
    async with service.open_service(local, parts=parts) as opened, listening(opened, "127.0.0.1", 0) as url:
        way = _local(local, lambda: url)
        async with client(way.locate, way.token) as speaking:
            yield Connection(speaking, way.name, served=False)


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


def _local(local: settings.Settings, locate: Callable[[], str | None]) -> Way:
    def mint() -> str:
        return tokens.issue(local, role="admin", app="*", subject=LOCAL_SUBJECT, ttl_s=TOKEN_TTL_S)

    return Way(locate, renewed(mint, TOKEN_RENEWED_S), str(local.data.absolute()))


def elsewhere(target: Target, *, reading: bool = False) -> Way | None:
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
    if not token and not reading:
        raise UsageError(f"{url} needs an admin token: --token or {TOKEN_VARIABLE}")
    try:
        address, token = checked_address(url), checked_token(token) if token else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Way(lambda: address, lambda: token, address)
