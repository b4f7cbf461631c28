"""PostgresTurns: the turn is an advisory lock, held by a connection of its own for as long as that lives."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable

import structlog

from scoreboard.adapters.postgres.database import FAULTS, Connection, Database, describe_error
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)

TAKE = "SELECT pg_try_advisory_lock($1)"
ALIVE = "SELECT 1"
LOOK_EVERY_S = 1.0
LOST_S = 5.0  # without an answer: before the server, by its keepalives, gives the turn to another


class PostgresLeaderLock:
    """A process that dies is taken over from as soon as the server sees its connection end; one that is cut off, when
    the server's keepalives find out, some ten seconds later. It has stopped by then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run_as_leader(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """As in the port."""
        lost = False
        while True:
            try:
                connection = await self._database.connection()
                try:
                    lost = False
                    await self._take_turns(connection, name, work)
                finally:
                    connection.terminate()
            except (Unavailable, *FAULTS) as error:
                if not lost:
                    log.warning("turn_lost", name=name, error=describe_error(error))
                lost = True
            await _pause()

    async def _take_turns(self, connection: Connection, name: str, work: Callable[[], Awaitable[None]]) -> None:
        number = lock_number(name)
        while not await connection.fetchval(TAKE, number):
            await _pause()
        log.info("turn_taken", name=name)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        working, ending = asyncio.ensure_future(work()), asyncio.ensure_future(ended.wait())
        try:
            while not working.done():
                await asyncio.wait((working, ending), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                await connection.fetchval(ALIVE, timeout=LOST_S)
            working.result()
        finally:
            ending.cancel()
            working.cancel()
            # What the work ends in is not told; being cancelled ourselves meanwhile is.
            await asyncio.gather(working, return_exceptions=True)


def lock_number(name: str) -> int:
    """A signed number of 64 bits that nothing else locks."""
    return int.from_bytes(hashlib.blake2b(f"scoreboard turn {name}".encode(), digest_size=8).digest(), signed=True)


async def _pause() -> None:
    await asyncio.sleep(random.uniform(LOOK_EVERY_S / 2, LOOK_EVERY_S))  # noqa: S311 - jitter
