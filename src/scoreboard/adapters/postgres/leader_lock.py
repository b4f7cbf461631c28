"""The leader lock in PostgreSQL: an advisory lock, held by its own connection."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable

import structlog

from scoreboard.adapters.postgres.database import FAULTS, Connection, Database, describe_error
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)

TRY_LOCK = "SELECT pg_try_advisory_lock($1)"
PING = "SELECT 1"
POLL_S = 1.0


class PostgresLeaderLock:
    """A leader lock that the server releases when the connection of the leader ends.

    If a process dies, the server sees that at once. If it is cut off, the server's keepalives detect it after some ten
    seconds; the process has stopped its work by then.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_as_leader(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        lost = False
        while True:
            try:
                connection = await self._database.connection()
                try:
                    lost = False
                    await self._lead(connection, name, work)
                finally:
                    connection.terminate()
            except (Unavailable, *FAULTS) as error:
                if not lost:
                    log.warning("leader_lock_lost", name=name, error=describe_error(error))
                lost = True
            await _pause()

    async def _lead(self, connection: Connection, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Acquire the lock, and run the work as long as the lock is held."""
        number = lock_number(name)
        while not await connection.fetchval(TRY_LOCK, number):
            await _pause()
        log.info("leader_lock_acquired", name=name)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        working, ending = asyncio.ensure_future(work()), asyncio.ensure_future(ended.wait())
        try:
            while not working.done():
                await asyncio.wait((working, ending), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
                await connection.fetchval(PING, timeout=self._database.timeouts.ping_s)
            working.result()
        finally:
            ending.cancel()
            working.cancel()
            # Wait for the end of the work, but ignore its result. A cancellation of this task still takes effect.
            await asyncio.gather(working, return_exceptions=True)


def lock_number(name: str) -> int:
    """Return a signed number of 64 bits that locks nothing else."""
    # Processes of earlier versions use the same text, so a rolling update has one leader.
    return int.from_bytes(hashlib.blake2b(f"scoreboard turn {name}".encode(), digest_size=8).digest(), signed=True)


async def _pause() -> None:
    await asyncio.sleep(random.uniform(POLL_S / 2, POLL_S))  # noqa: S311 - jitter
