"""Facts about a database, read without changing it."""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import asyncpg

from scoreboard.adapters.postgres.database import FAULTS, FILES, SQL, Record, describe_error
from scoreboard.adapters.postgres.timeouts import DEFAULTS, PostgresTimeouts
from scoreboard.domain import codes


@dataclass(frozen=True, slots=True)
class Inspection:
    """The state of a server and its database.

    `version` has the form 150004, `schema` is 0 without one. `durable` states whether commits reach the disk. `room` is
    the number of available connections, `used` the number of open ones.
    """

    version: int
    replica: bool
    durable: bool
    room: int
    used: int
    schema: int
    newest: int


async def inspect(url: str, timeouts: PostgresTimeouts = DEFAULTS) -> Inspection:
    """Inspect a database. Raise Unavailable, with the reason but without a password."""
    async with _connected(url, timeouts) as connection:
        (row,) = await connection.fetch(SQL["inspection"])
        schema = await connection.fetchval(SQL["schema"]) if row["migrated"] else 0
    newest = FILES.migrations()[-1].number
    return Inspection(row["version"], row["replica"], row["durable"], row["room"], row["used"], schema, newest)


async def fetch_once(url: str, statement: str, *values: object, timeouts: PostgresTimeouts = DEFAULTS) -> list[Record]:
    """Return the rows of one statement on a new connection. Raise as `inspect` does."""
    async with _connected(url, timeouts) as connection:
        rows: list[Record] = await connection.fetch(statement, *values)
        return rows


@asynccontextmanager
async def _connected(url: str, timeouts: PostgresTimeouts) -> AsyncIterator["asyncpg.Connection[Record]"]:
    try:
        connection = await asyncpg.connect(url, timeout=timeouts.connect_s, command_timeout=timeouts.inspect_s)
        try:
            yield connection
        finally:
            connection.terminate()
    except (*FAULTS, ValueError) as error:
        raise codes.STORAGE_FAILED.error(describe_error(error)) from error


def remedy(error: BaseException | None, url: str, variable: str) -> str:
    """Return the remedy for a failed connection to the URL in a variable."""
    database, user = _names(url)
    match error:
        case asyncpg.InvalidPasswordError():
            return f"check the user and the password in {variable}"
        case asyncpg.CannotConnectNowError():
            return "wait until the server has started"
        case asyncpg.TooManyConnectionsError():
            return "raise max_connections, or lower SCOREBOARD_DATABASE_CONNECTIONS"
        case asyncpg.InvalidCatalogNameError():
            step = f"createdb --owner={user} {database}"
        case asyncpg.InsufficientPrivilegeError():
            step = f"GRANT CONNECT ON DATABASE {database} TO {user}"
        case asyncpg.InvalidAuthorizationSpecificationError() if "pg_hba.conf" in str(error):
            step = "allow the connection in pg_hba.conf"
        case asyncpg.InvalidAuthorizationSpecificationError():
            step = f"createuser --pwprompt {user} (ALTER ROLE {user} LOGIN, if it exists)"
        case _:
            step = "start the server"
    return f"{step}, or correct {variable}"


def _names(url: str) -> tuple[str, str]:
    """Return the database and the role of a URL, quoted for a shell."""
    parts = urlsplit(url)
    user = unquote(parts.netloc.rpartition("@")[0].partition(":")[0])
    database = unquote(parts.path[1:]) or user
    return shlex.quote(database or "NAME"), shlex.quote(user or "ROLE")
