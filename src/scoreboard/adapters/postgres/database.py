"""The database: connections, transactions, migrations and errors."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import asyncpg
import structlog

from scoreboard.adapters.postgres.timeouts import DEFAULTS, PostgresTimeouts
from scoreboard.adapters.sql.errors import storage_failure
from scoreboard.adapters.sql.files import SqlFiles
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain import codes, errors
from scoreboard.domain.errors import Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger(__name__)

T = TypeVar("T")
Record: TypeAlias = asyncpg.Record
Connection: TypeAlias = "PoolConnectionProxy[Record] | asyncpg.Connection[Record]"
Pool: TypeAlias = "asyncpg.Pool[Record]"
Work: TypeAlias = Callable[[Connection], Awaitable[T]]
_Init: TypeAlias = Callable[[Connection], Coroutine[None, None, None]]
_Connect: TypeAlias = Callable[[], Awaitable["asyncpg.Connection[Record]"]]

CONNECTIONS = 8  # at most, in one process; a group commit uses one, so most of them serve reads
CLOSE_S = 1.0  # for the end of running statements when the pool is closed
ATTEMPTS = 6
RETRIES = Backoff(first_s=0.01, longest_s=0.16)
MIGRATIONS_LOCK = 0x5C0EB0A2D
NUL = "\0"  # No id contains it, and PostgreSQL rejects it in text.

FILES = SqlFiles(__package__)
statements = FILES.statements
SQL = statements("database.sql")

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
SESSION_SETTINGS = {
    "application_name": "scoreboard",
    "default_transaction_isolation": "read committed",
    # The server detects a lost client, and releases its locks, after some ten seconds.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Every statement here finds few rows through an index, or reads along one. The planner's statistics of tables that
    # grow by thousands of rows a second are outdated, and a plan is kept as long as its connection.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_DATA_ERRORS = ("22", "23", "54")  # classes of SQLSTATE: bad values, violated constraints, oversized rows
# asyncpg raises InternalClientError also for an idle connection that the server has closed.
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Errors that a connection raises when the database or the network fails."""


class RetryTransaction(Exception):
    """A conflict with a concurrent transaction, which a new attempt resolves."""


class _Faults:
    """The failures since the last response. Each kind is logged once."""

    def __init__(self, unresponsive_s: float) -> None:
        self._unresponsive_s = unresponsive_s
        self._logged: set[tuple[str, type[BaseException]]] = set()
        self.unresponsive = False

    def limit_timeout(self, timeout_s: float) -> float:
        """Return the timeout, shortened while the server does not respond."""
        return min(timeout_s, self._unresponsive_s) if self.unresponsive else timeout_s

    def translate(self, error: Exception) -> Exception:
        """Return the error for the caller, and log its cause once."""
        public = translate_error(error)
        kind = type(error)
        if isinstance(public, Unavailable) and (public.code, kind) not in self._logged:
            self._logged.add((public.code, kind))
            state = getattr(error, "sqlstate", None)
            log.error(public.code, error=describe_error(error), name=kind.__name__, state=state)
        return public

    def clear(self) -> None:
        """Record a response of the server."""
        self.unresponsive = False
        if self._logged:
            self._logged.clear()
            log.info("database_responds_again")


class Reader(Protocol):
    """A source of rows. A read includes everything that was committed when it started."""

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        """Return the rows of one statement, run in its own transaction."""
        ...


class Database:
    """Connections to one database.

    While the server is down, calls raise Unavailable: at once if it refuses connections, within seconds if it does not
    respond. Each call tries to connect, so calls succeed as soon as the server is back.
    """

    def __init__(self, pool: Pool, connect: _Connect, timeouts: PostgresTimeouts) -> None:
        self._pool = pool
        self._connect = connect
        self.timeouts = timeouts
        self.faults = _Faults(timeouts.unresponsive_s)

    async def transaction(
        self, work: Work[T], retry_on: type[Exception] = RetryTransaction, within_s: float | None = None
    ) -> T:
        """Run `work` in one durable transaction. Cancelling the caller does not stop it.

        `work` runs again, in a new transaction, after a deadlock, RetryTransaction or `retry_on`.
        """
        attempts = asyncio.ensure_future(self._attempts(work, retry_on, within_s or self.timeouts.transaction_s))
        # Retrieve the exception, so that asyncio does not log it after the caller was cancelled.
        attempts.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(attempts)

    async def fetch(self, statement: str, *values: object, within_s: float | None = None) -> list[Record]:
        """Return the rows of one statement, run in its own transaction."""
        try:
            async with self._acquire() as connection:
                with self._terminating(connection):
                    timeout_s = self.faults.limit_timeout(within_s or self.timeouts.command_s)
                    rows: list[Record] = await connection.fetch(statement, *values, timeout=timeout_s)
        except Exception as error:
            raise self.faults.translate(error) from error
        self.faults.clear()
        return rows

    async def connection(self) -> "asyncpg.Connection[Record]":
        """Return a connection outside the pool. The caller closes it and logs failures."""
        try:
            return await self._connect()
        except Exception as error:
            raise translate_error(error) from error

    async def _attempts(self, work: Work[T], retry_on: type[Exception], within_s: float) -> T:
        conflicts = RetryTransaction, retry_on, asyncpg.SerializationError, asyncpg.DeadlockDetectedError
        attempt = 1
        while True:
            try:
                return await self.run_once(work, within_s)
            except Exception as error:
                if attempt == ATTEMPTS or not isinstance(error, conflicts):
                    raise self.faults.translate(error) from error
                log.debug("transaction_retried", cause=type(error).__name__)
            await asyncio.sleep(RETRIES.pause_s(attempt))
            attempt += 1

    async def run_once(self, work: Work[T], within_s: float) -> T:
        async with self._acquire() as connection:
            with self._terminating(connection):
                async with asyncio.timeout(self.faults.limit_timeout(within_s)):
                    await connection.execute("BEGIN")
                    try:
                        result = await work(connection)
                        await connection.execute("COMMIT")
                    except Exception:
                        if connection.is_in_transaction():
                            await connection.execute("ROLLBACK")
                        raise
        self.faults.clear()
        return result

    def _acquire(self) -> "AbstractAsyncContextManager[PoolConnectionProxy[Record]]":
        return self._pool.acquire(timeout=self.faults.limit_timeout(self.timeouts.acquire_s))

    @contextmanager
    def _terminating(self, connection: Connection) -> Iterator[None]:
        """Terminate the connection after a timeout or a cancellation."""
        try:
            yield  # Cancelling the statement instead would need a response of the server.
        except TimeoutError:
            connection.terminate()
            self.faults.unresponsive = True
            raise
        except asyncio.CancelledError:
            connection.terminate()
            raise


@asynccontextmanager
async def open_database(
    url: str, *, connections: int = CONNECTIONS, timeouts: PostgresTimeouts = DEFAULTS
) -> AsyncIterator[Database]:
    """Open the database, even if the server is down, and close it at the end."""

    async def init(connection: Connection) -> None:
        await _check_settings(connection, connections)

    async def connect() -> "asyncpg.Connection[Record]":
        connection: asyncpg.Connection[Record] = await asyncpg.connect(url, **_options(timeouts))
        try:
            await init(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async with open_pool(url, connections, timeouts, init) as pool:
        yield Database(pool, connect, timeouts)


@asynccontextmanager
async def open_pool(
    url: str, connections: int, timeouts: PostgresTimeouts, init: _Init | None = None
) -> AsyncIterator[Pool]:
    """Open a pool that runs `init` on each new connection, and close it at the end."""

    async def skip_reset(_: Connection) -> None:
        """Save a round trip: no state is left on a connection."""

    pool = await asyncpg.create_pool(
        url, min_size=0, max_size=connections, init=init, reset=skip_reset, **_options(timeouts)
    )
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_S):
                await pool.close()
        except FAULTS:  # TimeoutError is an OSError.
            pool.terminate()


def _options(timeouts: PostgresTimeouts) -> dict[str, Any]:
    settings = {
        **SESSION_SETTINGS,
        "statement_timeout": f"{timeouts.statement_s:g}s",
        "lock_timeout": f"{timeouts.lock_s:g}s",
        "idle_in_transaction_session_timeout": f"{timeouts.idle_in_transaction_s:g}s",
    }
    return {"timeout": timeouts.connect_s, "command_timeout": timeouts.command_s, "server_settings": settings}


async def _check_settings(connection: Connection, connections: int) -> None:
    """Log settings that lose committed data, or allow too few connections."""
    ((durable, room, _),) = await connection.fetch(SQL["settings"])
    if not durable:
        log.error("database_not_durable", remedy="set fsync = on and full_page_writes = on in postgresql.conf")
    if room < connections:
        log.warning("too_few_connections", pool=connections, server=room, remedy="raise max_connections")


async def migrate(url: str, timeouts: PostgresTimeouts = DEFAULTS) -> list[str]:
    """Apply the missing migrations, one transaction each; return their file names.

    Concurrent calls wait for the first. The previous version of Scoreboard runs during a migration, so a migration adds
    tables and columns; it never renames or drops what that version uses.
    """
    settings = {"application_name": "scoreboard migrate", "lock_timeout": "0"}
    try:
        connection = await asyncpg.connect(url, timeout=timeouts.connect_s, server_settings=settings)
        try:
            return await _apply_migrations(connection, timeouts.lock_s)
        finally:
            await connection.close()
    except Exception as error:
        raise translate_error(error) from error


async def _apply_migrations(connection: Connection, lock_s: float) -> list[str]:
    await connection.fetch(SQL["lock_migrations"], MIGRATIONS_LOCK)
    await connection.execute(f"SET lock_timeout = '{lock_s:g}s'")  # so that no update waits longer for a table
    await connection.execute(SQL["make_migrations"])
    done = {number for (number,) in await connection.fetch(SQL["applied_migrations"])}
    applied = []
    for number, file, script in FILES.migrations():
        if number not in done:
            async with connection.transaction():
                await connection.execute(script)
                await connection.execute(SQL["add_migration"], number, file)
            applied.append(file)
    return applied


def check_url(url: str) -> None:
    """Raise ValueError for a wrong URL, without quoting any part of it."""
    address = url.partition("://")[2]
    hosts = re.split("[/?#]", address, maxsplit=1)[0].rpartition("@")[2]
    if not address.strip("/") or (hosts and not all(_HOST.fullmatch(host) for host in hosts.split(","))):
        raise ValueError(
            "it must have the form postgresql://user:password@db.example:5432/scoreboard; in a password, write / as"
            " %2F, ? as %3F, # as %23 and @ as %40"
        )


def is_server_error(error: BaseException) -> bool:
    """Return whether the database or the network failed, not the statement."""
    if isinstance(error, ValueError) or not isinstance(error, FAULTS):
        return False  # asyncpg raises a ValueError for a value that does not fit its column.
    return (getattr(error, "sqlstate", None) or "")[:2] not in _DATA_ERRORS


def translate_error(error: Exception) -> Exception:
    """Return Unavailable for a server error, and any other error unchanged."""
    if isinstance(error, RetryTransaction):
        return codes.STORAGE_FAILED.error(
            "too many updates of the same players at once; try again in a moment", retry_after_s=1
        )
    if not is_server_error(error):
        return error
    return storage_failure(disk_full=isinstance(error, asyncpg.DiskFullError))


def describe_error(error: BaseException) -> str:
    """Describe an error in a few words, without a password."""
    match error:
        case Unavailable() if error.__cause__ is not None:
            return describe_error(error.__cause__)
        case ValueError():
            return "its URL is invalid"  # asyncpg's message may quote parts of the URL.
        case _:
            return " ".join(errors.describe_error(error).split())
