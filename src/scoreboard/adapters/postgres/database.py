"""The database: its connections, their settings, its migrations, and what its errors mean."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import asyncpg
import structlog

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
_Look: TypeAlias = Callable[[Connection], Coroutine[None, None, None]]
_Connect: TypeAlias = Callable[[], Awaitable["asyncpg.Connection[Record]"]]

CONNECTIONS = 8  # at most, in one process: a group commit needs one, so this is for reads beside it
CONNECT_S = 3.0
ACQUIRE_S = 5.0  # for a connection to be free, or made
STATEMENT_S = 10.0
LOCK_S = 5.0
IDLE_IN_TRANSACTION_S = 30.0  # a process that hangs gives its locks back
COMMAND_S = STATEMENT_S + 5.0  # for an answer, when the server cannot even say that it is too late
TRANSACTION_S = LOCK_S + 3.0  # from BEGIN to the answer to COMMIT
SILENT_S = 1.0  # for anything, once the server was silent for too long, until it answers
CLOSE_S = 1.0  # for the server to hear that we leave, and for what is under way to end
ATTEMPTS = 6
PAUSE_S = 0.01  # before the second attempt; it doubles
MIGRATIONS_LOCK = 0x5C0EB0A2D
NUL = "\0"  # in nobody's id, and PostgreSQL refuses the question

_SQL = files(__package__) / "sql"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statements(file: str) -> dict[str, str]:
    """The statements of a file in `sql/`, by name."""
    parts = _NAME.split((_SQL / file).read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


SQL = statements("database.sql")

_SETTINGS = {
    "application_name": "scoreboard",
    "default_transaction_isolation": "read committed",
    "statement_timeout": f"{STATEMENT_S:.0f}s",
    "lock_timeout": f"{LOCK_S:.0f}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S:.0f}s",
    # A process that was cut off is noticed, and what it had locked is free, after some ten seconds.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Every statement of this adapter goes from a few rows to others by an index, or along one. What the planner knows
    # of tables that grow by thousands of rows a second is old, and a plan is kept for as long as the connection.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


_OF_THE_DATA = ("22", "23", "54")  # classes of SQLSTATE: bad values, broken constraints, rows too large
# The last but one is also what asyncpg says of a connection that the server ended while nobody used it.
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a connection raises when the database or the way to it fails."""


class Again(Exception):
    """Another transaction was faster: this one is to be begun anew."""


class _Faults:
    """What of a server's faults is worth a line: each kind once, until an answer comes again."""

    def __init__(self) -> None:
        self._told: set[tuple[str, type[BaseException]]] = set()
        self.silent = False

    def patience_s(self, usual_s: float) -> float:
        """How long to wait for the server: not for long, when it has not answered for long."""
        return min(usual_s, SILENT_S) if self.silent else usual_s

    def told(self, error: Exception) -> Exception:
        """The error as users are told: no more than that the database failed. The log has why."""
        told = translate_error(error)
        kind = type(error)
        if isinstance(told, Unavailable) and (told.code, kind) not in self._told:
            self._told.add((told.code, kind))
            log.error(
                told.code, error=describe_error(error), name=kind.__name__, state=getattr(error, "sqlstate", None)
            )
        return told

    def over(self) -> None:
        self.silent = False
        if self._told:
            self._told.clear()
            log.info("database_answers_again")


class Reading(Protocol):
    """Where rows are read from. What was committed when a read was asked for is in its answer."""

    async def fetch(self, statement: str, *values: object) -> list[Record]:
        """The rows of one statement, a transaction of its own."""
        ...


class Database:
    """Connections to one database.

    A server that is away is Unavailable, at once where it refuses and within seconds where it is silent; every call
    tries anew, so that it is back as soon as the server is.
    """

    def __init__(self, pool: Pool, connect: _Connect) -> None:
        self._pool = pool
        self._connect = connect
        self._faults = _Faults()

    async def transaction(self, work: Work[T], again: type[Exception] = Again, within_s: float = TRANSACTION_S) -> T:
        """Run `work` in one durable transaction. It may be called again, in a new one: after a deadlock, and when Again
        or `again` is raised. A caller that is cancelled does not stop it."""
        attempts = asyncio.ensure_future(self._attempts(work, again, within_s))
        attempts.add_done_callback(_looked_at)
        return await asyncio.shield(attempts)

    async def fetch(self, statement: str, *values: object, within_s: float = COMMAND_S) -> list[Record]:
        """The rows of one statement, a transaction of its own."""
        try:
            async with self._acquired() as connection:
                with self._noticing_silence(connection):
                    patience_s = self._faults.patience_s(within_s)
                    rows: list[Record] = await connection.fetch(statement, *values, timeout=patience_s)
        except Exception as error:
            raise self._faults.told(error) from error
        self._faults.over()
        return rows

    async def connection(self) -> "asyncpg.Connection[Record]":
        """A connection that lives as long as its holder wants, outside of the pool; to be closed. What fails is for the
        holder to log: it will try for as long as it takes."""
        try:
            return await self._connect()
        except Exception as error:
            raise translate_error(error) from error

    async def _attempts(self, work: Work[T], again: type[Exception], within_s: float) -> T:
        pause_s = PAUSE_S
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._once(work, within_s)
            except (Again, again, asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
                log.debug("transaction_again", cause=type(error).__name__)
            except Exception as error:
                raise self._faults.told(error) from error
            await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - jitter
            pause_s *= 2
        try:
            return await self._once(work, within_s)
        except Exception as error:
            raise self._faults.told(error) from error

    async def _once(self, work: Work[T], within_s: float) -> T:
        async with self._acquired() as connection:
            with self._noticing_silence(connection):
                async with asyncio.timeout(self._faults.patience_s(within_s)):
                    result = await _done(connection, work)
        self._faults.over()
        return result

    def _acquired(self) -> "AbstractAsyncContextManager[PoolConnectionProxy[Record]]":
        return self._pool.acquire(timeout=self._faults.patience_s(ACQUIRE_S))

    @contextmanager
    def _noticing_silence(self, connection: Connection) -> Iterator[None]:
        """A connection that gives no answer in time is not asked for anything more, nor waited for: it is cut. So is
        one whose asker is gone: to call the question back would need the server."""
        try:
            yield
        except TimeoutError:
            connection.terminate()
            self._faults.silent = True
            raise
        except asyncio.CancelledError:
            connection.terminate()
            raise


async def _done(connection: Connection, work: Work[T]) -> T:
    await connection.execute("BEGIN")
    try:
        result = await work(connection)
        await connection.execute("COMMIT")
    except Exception:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")
        raise
    return result


def _looked_at(future: "asyncio.Future[T]") -> None:
    """What a transaction ends in is of no interest once its caller is gone, and asyncio need not say it."""
    if not future.cancelled():
        future.exception()


@asynccontextmanager
async def open_database(url: str, *, connections: int = CONNECTIONS) -> AsyncIterator[Database]:
    """The database, closed in the end. It need not be there yet: connections are made when they are wanted."""

    async def look(connection: Connection) -> None:
        await _look_at_settings(connection, connections)

    async def connect() -> "asyncpg.Connection[Record]":
        connection = await asyncpg.connect(url, timeout=CONNECT_S, command_timeout=COMMAND_S, server_settings=_SETTINGS)
        try:
            await look(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async with open_pool(url, connections, look) as pool:
        yield Database(pool, connect)


async def _nothing(_: Connection) -> None:
    """Nothing is looked at."""


@asynccontextmanager
async def open_pool(url: str, connections: int, look: _Look = _nothing) -> AsyncIterator[Pool]:
    """Connections to one server, with our settings; `look` at each that is made. Closed in the end, whether the server
    answers or not."""

    async def leave(_: Connection) -> None:
        """Nothing is left behind on a connection, so there is nothing to put back."""

    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        server_settings=_SETTINGS,
        init=look,
        reset=leave,
    )
    try:
        yield pool
    finally:
        await _closed(pool)


async def _closed(pool: Pool) -> None:
    """Whose connections cannot be closed in time, or at all, has them cut: nobody waits for an answer any more."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await pool.close()
    except FAULTS:
        pool.terminate()


async def _look_at_settings(connection: Connection, connections: int) -> None:
    """Say it when the server would lose what it has committed, or has no room for the pool."""
    ((synced, room, _),) = await connection.fetch(SQL["settings"])
    if not synced:
        log.error("database_not_durable", remedy="set fsync = on and full_page_writes = on in postgresql.conf")
    if room < connections:
        log.warning("too_few_connections", pool=connections, server=room, remedy="raise max_connections")


async def migrate(url: str) -> list[str]:
    """Apply the numbered files of `sql/` that were not applied yet, each in one transaction. Returns their names.

    Safe to run twice and at once: others wait until the first is done. A migration may only do what the version before
    can live with: add, never rename or drop what that one uses.
    """
    settings = {"application_name": "scoreboard migrate", "lock_timeout": f"{LOCK_S:.0f}s"}
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_S, server_settings=settings)
        try:
            return await _migrated(connection)
        finally:
            await connection.close()
    except Exception as error:
        raise translate_error(error) from error


def newest_schema() -> int:
    """The number of the last migration that this version has."""
    return max(int(file[:4]) for file in _migrations())


def _migrations() -> list[str]:
    return sorted(entry.name for entry in _SQL.iterdir() if entry.name[:4].isdigit())


def check_url(url: str) -> None:
    """Raises ValueError, whose text has nothing of the URL in it."""
    hosts = _hosts(url)
    names_one = url.partition("://")[2].strip("/") != ""
    if not names_one or (hosts and not all(_HOST.fullmatch(host) for host in hosts.split(","))):
        raise ValueError(
            "it is not like postgresql://user:password@db.example:5432/scoreboard; in a password '/' is written %2F, "
            "'?' %3F, '#' %23 and '@' %40"
        )


def _hosts(url: str) -> str:
    return re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]


async def _migrated(connection: Connection) -> list[str]:
    await connection.execute("SET lock_timeout = 0")
    await connection.fetch(SQL["lock_migrations"], MIGRATIONS_LOCK)
    await connection.execute(f"SET lock_timeout = '{LOCK_S:.0f}s'")  # for tables: nobody who updates waits for longer
    await connection.execute(SQL["make_migrations"])
    done = {number for (number,) in await connection.fetch(SQL["applied_migrations"])}
    applied = []
    for file in _migrations():
        if int(file[:4]) not in done:
            async with connection.transaction():
                await connection.execute((_SQL / file).read_text())
                await connection.execute(SQL["add_migration"], int(file[:4]), file)
            applied.append(file)
    return applied


def is_server_error(error: BaseException) -> bool:
    """Whether the database or the way to it failed, and not what it was asked."""
    if isinstance(error, ValueError) or not isinstance(error, FAULTS):
        return False  # asyncpg's own word for a value that does not fit is a ValueError
    return (getattr(error, "sqlstate", None) or "")[:2] not in _OF_THE_DATA


def translate_error(error: Exception) -> Exception:
    """Faults of the data stay what they are; every other fault of the database is one of ours: Unavailable."""
    if isinstance(error, Again):
        return codes.STORAGE_FAILED.error("too many updates of the same players at once", retry_after_s=1)
    if not is_server_error(error):
        return error
    if isinstance(error, asyncpg.DiskFullError):
        return codes.STORAGE_FULL.error("the disk is full; nothing was counted", retry_after_s=10)
    return codes.STORAGE_FAILED.error("the database failed; the outcome may be unknown", retry_after_s=1)


def describe_error(error: BaseException) -> str:
    """In a few words. What the server says of its own has no password in it; what a URL is read as may."""
    match error:
        case Unavailable() if error.__cause__ is not None:
            return describe_error(error.__cause__)
        case ValueError():
            return "its URL is wrong"
        case _:
            return " ".join(errors.describe_error(error).split())
