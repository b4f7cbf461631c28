"""Replica: long reads go to a server that follows the primary, and are as new as the primary's.

It is the one place that decides whether a read may go there: only when the replica has replayed all that the primary
had committed when the read was asked for. So nothing goes backwards or contradicts an answer, whoever gave it.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from scoreboard.adapters.postgres.database import (
    Connection,
    Database,
    Pool,
    Record,
    describe_error,
    is_server_error,
    open_pool,
    statements,
)
from scoreboard.adapters.postgres.inspection import asked

log = structlog.get_logger(__name__)

SQL = statements("replica.sql")
CONNECTIONS = 4  # at most, in one process: long reads are few
REACH_S = 1.0  # to have a connection
CATCH_UP_S = 1.0  # to have replayed what the primary has: one that takes longer is left alone until the next look
LOOK_S = 2.5
POLL_S, POLL_MOST_S = 0.002, 0.05  # it doubles


class Unfit(Exception):
    """What is the matter with the replica, in a few words."""


class Replica:
    """While it cannot be used, all reads go to the primary; `look`, every few seconds, finds out when it can be again.

    `lag_s` is how far it was behind at the last look, not a number while that is not known.
    """

    def __init__(self, primary: Database, pool: Pool) -> None:
        self._primary = primary
        self._pool = pool
        self._fit: bool | None = None  # until the first look nobody knows
        self.lag_s = math.nan

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        """As in Reading. Raises Unavailable when the primary cannot be asked, too."""
        if self._fit:
            (committed,) = await self._primary.fetch(SQL["committed"])
            try:
                async with self._pool.acquire(timeout=REACH_S) as connection:
                    await _catch_up(connection, committed)
                    rows: list[Record] = await connection.fetch(statement, *values)
                    return rows
            except Exception as error:
                self._leave(error)
        return await self._primary.fetch(statement, *values)

    async def look(self) -> None:
        """Find out whether it can be used from now on; raises when not."""
        (committed,) = await self._primary.fetch(SQL["committed"])
        lag_s = math.nan
        try:
            async with asyncio.timeout(LOOK_S), self._pool.acquire(timeout=REACH_S) as connection:
                (stands,) = await connection.fetch(SQL["stands"], *committed)
                lag_s = _lag(stands)
                await _catch_up(connection, committed)
        except Exception as error:
            self._leave(error)
            raise
        finally:
            self.lag_s = lag_s
        if self._fit is False:
            log.info("replica_used_again")
        self._fit = True

    def _leave(self, error: Exception) -> None:
        """Raises the error when it is none of the replica's."""
        if not isinstance(error, Unfit) and not is_server_error(error):
            raise error
        if self._fit is not False:
            log.warning("replica_not_used", reason=str(error) if isinstance(error, Unfit) else describe_error(error))
        self._fit = False


async def inspect(primary: str, replica: str) -> float:
    """By how many seconds it is behind, 0 when it is not, not a number when it cannot tell. Raises Unfit, and
    Unavailable, whose detail says why one of them cannot be asked."""
    (committed,) = await asked(primary, SQL["committed"])
    (stands,) = await asked(replica, SQL["stands"], *committed)
    _check(stands)
    return _lag(stands)


@asynccontextmanager
async def open_replica(primary: Database, url: str, connections: int = CONNECTIONS) -> AsyncIterator[Replica]:
    """The replica, its connections closed in the end. It need not be there yet."""
    async with open_pool(url, connections) as pool:
        yield Replica(primary, pool)


def _lag(stands: Record) -> float:
    if stands["level"]:
        return 0.0
    return math.nan if stands["behind_s"] is None else float(stands["behind_s"])


def _check(stands: Record) -> None:
    """Raises Unfit when it will never have what the primary has."""
    if not stands["follows"]:
        raise Unfit("it is no replica (any more)")
    if not stands["same_server"]:
        raise Unfit("it is the replica of another server")
    if not stands["same_timeline"]:
        raise Unfit("it follows another primary, or has not noted down yet that it follows this one")


async def _catch_up(connection: Connection, committed: Record) -> None:
    """Returns when the replica has what was committed then. Raises Unfit when it has not soon."""
    loop = asyncio.get_running_loop()
    given_up_at, pause_s = loop.time() + CATCH_UP_S, POLL_S
    while True:
        (stands,) = await connection.fetch(SQL["stands"], *committed)
        _check(stands)
        if stands["level"]:
            return
        if loop.time() > given_up_at:
            raise Unfit(f"it is behind by more than {CATCH_UP_S:g} s")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, POLL_MOST_S)
