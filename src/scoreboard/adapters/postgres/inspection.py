"""What can be seen of a database without changing it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from scoreboard.adapters.postgres.database import CONNECT_S, FAULTS, SQL, Record, newest_schema
from scoreboard.domain.errors import Unavailable

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
        raise Unavailable("storage_failed", why(error)) from error


def why(error: BaseException) -> str:
    """In a few words. What the server says of its own has no password in it; what a URL is read as may."""
    match error:
        case asyncpg.PostgresError():
            return str(error)
        case TimeoutError():
            return "it does not answer"
        case socket.gaierror():
            return "there is no such host"
        case ConnectionRefusedError():
            return "connection refused"
        case ValueError():
            return "its URL is wrong"
        case _:
            return f"it cannot be reached ({error})"
