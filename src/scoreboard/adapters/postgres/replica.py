"""A reader that sends long reads to a replica, as recent as the primary.

Only this module decides whether the replica may serve a read: when it has replayed everything that the primary had
committed when the read started. So no read contradicts an earlier response of any process.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

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
from scoreboard.adapters.postgres.inspection import fetch_once
from scoreboard.adapters.postgres.timeouts import DEFAULTS, PostgresTimeouts
from scoreboard.concurrency.backoff import Backoff

log = structlog.get_logger(__name__)

SQL = statements("replica.sql")
CONNECTIONS = 4  # at most, in one process; long reads are few
POLLS = Backoff(first_s=0.002, longest_s=0.05)


class ReplicaUnusable(Exception):
    """A replica that must not serve reads. The text gives the reason."""


class Replica:
    """A reader that falls back to the primary while the replica is unusable.

    `check`, every few seconds, detects when it is usable again. `lag_s` is the delay of the replica at the last check,
    NaN while it is unknown.
    """

    def __init__(self, primary: Database, pool: Pool) -> None:
        self._primary = primary
        self._pool = pool
        self.timeouts = primary.timeouts
        self._usable: bool | None = None  # unknown until the first check
        self.lag_s = math.nan

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        """Return the rows of one statement. Raise Unavailable if the primary is down."""
        if self._usable:
            (committed,) = await self._primary.fetch(SQL["committed"])
            try:
                async with self._pool.acquire(timeout=self.timeouts.reach_s) as connection:
                    await self._catch_up(connection, committed)
                    rows: list[Record] = await connection.fetch(statement, *values)
                    return rows
            except Exception as error:
                self._disable(error)
        return await self._primary.fetch(statement, *values)

    async def check(self) -> None:
        """Check whether the replica is usable from now on. Raise the reason if not."""
        (committed,) = await self._primary.fetch(SQL["committed"])
        lag_s = math.nan
        try:
            reach_s = self.timeouts.reach_s
            async with asyncio.timeout(self.timeouts.check_s), self._pool.acquire(timeout=reach_s) as connection:
                (status,) = await connection.fetch(SQL["status"], *committed)
                lag_s = _lag(status)
                await self._catch_up(connection, committed)
        except Exception as error:
            self._disable(error)
            raise
        finally:
            self.lag_s = lag_s
        if self._usable is False:
            log.info("replica_used_again")
        self._usable = True

    async def _catch_up(self, connection: Connection, committed: Record) -> None:
        """Wait until the replica has all commits. Raise ReplicaUnusable if it is too slow."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeouts.catch_up_s
        for attempt in count(1):
            (status,) = await connection.fetch(SQL["status"], *committed)
            _check_identity(status)
            if status["level"]:
                return
            if loop.time() > deadline:
                raise ReplicaUnusable(f"it is behind by more than {self.timeouts.catch_up_s:g} s")
            await asyncio.sleep(POLLS.pause_s(attempt, chance=1.0))

    def _disable(self, error: Exception) -> None:
        """Stop using the replica. Raise the error when the statement caused it."""
        unusable = isinstance(error, ReplicaUnusable)
        if not unusable and not is_server_error(error):
            raise error
        if self._usable is not False:
            log.warning("replica_not_used", reason=str(error) if unusable else describe_error(error))
        self._usable = False


async def inspect(primary: str, replica: str, timeouts: PostgresTimeouts = DEFAULTS) -> float:
    """Return the delay of the replica in seconds, NaN where it cannot report one.

    Raise ReplicaUnusable, or Unavailable whose detail says why one of the servers cannot be reached.
    """
    (committed,) = await fetch_once(primary, SQL["committed"], timeouts=timeouts)
    (status,) = await fetch_once(replica, SQL["status"], *committed, timeouts=timeouts)
    _check_identity(status)
    return _lag(status)


@asynccontextmanager
async def open_replica(primary: Database, url: str, connections: int = CONNECTIONS) -> AsyncIterator[Replica]:
    """Open the replica, and close its connections at the end. Its server may be down."""
    async with open_pool(url, connections, primary.timeouts) as pool:
        yield Replica(primary, pool)


def _lag(status: Record) -> float:
    if status["level"]:
        return 0.0
    return math.nan if status["behind_s"] is None else float(status["behind_s"])


def _check_identity(status: Record) -> None:
    """Raise ReplicaUnusable for a server that will never have the data of the primary."""
    if not status["follows"]:
        raise ReplicaUnusable("it is not a replica, or no longer one")
    if not status["same_server"]:
        raise ReplicaUnusable("it is a replica of another server")
    if not status["same_timeline"]:
        raise ReplicaUnusable("it follows another primary, or has not yet recorded that it follows this one")
