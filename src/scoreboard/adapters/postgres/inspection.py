"""What can be seen of a database without changing it."""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import asyncpg

from scoreboard.adapters.postgres.database import CONNECT_S, FAULTS, SQL, Record, describe_error, newest_schema
from scoreboard.domain import codes

INSPECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """`version` as PostgreSQL counts: 150004. `schema` is 0 where there is none. `durable` when what is committed is
    on the disk. `room` is how many connections all may have, `used` how many there are."""

    version: int
    replica: bool
    durable: bool
    room: int
    used: int
    schema: int
    newest: int


async def inspect(url: str) -> Inspection:
    """Raises Unavailable, whose detail says why in a few words that have no secret in them."""
    async with _connected(url) as connection:
        (row,) = await connection.fetch(SQL["inspection"])
        schema = await connection.fetchval(SQL["schema"]) if row["migrated"] else 0
    return Inspection(row["version"], row["replica"], row["durable"], row["room"], row["used"], schema, newest_schema())


async def asked(url: str, statement: str, *values: object) -> list[Record]:
    """The rows of one statement, on a connection of its own. Raises as `inspect` does."""
    async with _connected(url) as connection:
        rows: list[Record] = await connection.fetch(statement, *values)
        return rows


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[Record]"]:
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S, command_timeout=INSPECT_S)
        try:
            yield connection
        finally:
            connection.terminate()
    except (*FAULTS, ValueError) as error:
        raise codes.STORAGE_FAILED.error(describe_error(error)) from error


def remedy(error: BaseException | None, url: str, variable: str) -> str:
    """What to do about what a server at this URL, given by this variable, said to who connects."""
    database, user = _names(url)
    match error:
        case asyncpg.InvalidPasswordError():
            return f"check the user and the password in {variable}"
        case asyncpg.CannotConnectNowError():
            return "wait until it has started"
        case asyncpg.TooManyConnectionsError():
            return "raise max_connections, or lower SCOREBOARD_DATABASE_CONNECTIONS"
        case asyncpg.InvalidCatalogNameError():
            step = f"createdb --owner={user} {database}"
        case asyncpg.InsufficientPrivilegeError():
            step = f"GRANT CONNECT ON DATABASE {database} TO {user}"
        case asyncpg.InvalidAuthorizationSpecificationError() if "pg_hba.conf" in str(error):
            step = "let it in by pg_hba.conf"
        case asyncpg.InvalidAuthorizationSpecificationError():
            step = f"createuser --pwprompt {user} (ALTER ROLE {user} LOGIN, if it is there)"
        case _:
            step = "start it"
    return f"{step}, or correct {variable}"


def _names(url: str) -> tuple[str, str]:
    """The database and the role that a URL names, as a shell takes them."""
    parts = urlsplit(url)
    user = unquote(parts.netloc.rpartition("@")[0].partition(":")[0])
    database = unquote(parts.path[1:]) or user
    return shlex.quote(database or "NAME"), shlex.quote(user or "ROLE")
