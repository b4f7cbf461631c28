"""A connection to the broker that is opened again after each loss.

aio-pika's RobustConnection does not replace it. With that one, a publish waits without a time-out while the broker is
down. All consumers are restored with one prefetch count, and attempts follow at a fixed interval.
"""

import asyncio
import contextlib
import logging
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ProbableAuthenticationError
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from yarl import URL

from scoreboard.adapters.rabbitmq.timeouts import RabbitTimeouts
from scoreboard.adapters.rabbitmq.topology import TopologyMismatch
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain import codes, errors
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)

S = TypeVar("S")
T = TypeVar("T")
GiveUp: TypeAlias = Callable[[], None]

CLOSE_S = 3.0
HEARTBEAT_S = 10
RETRIES = Backoff(first_s=0.1, longest_s=2.0)

# The libraries log each attempt, unstructured. ReconnectingConnection logs an outage once.
for library in ("aiormq", "aio_pika"):
    logging.getLogger(library).setLevel(logging.CRITICAL)

FAILURES = (*CONNECTION_EXCEPTIONS, TimeoutError, asyncio.CancelledError)


def unavailable(detail: str = "the queue's server cannot be reached") -> Unavailable:
    return codes.QUEUE_UNAVAILABLE.error(detail, retry_after_s=1)


def describe_error(error: BaseException) -> str:
    """Describe an error in a few words, without a password."""
    match error:
        case ProbableAuthenticationError():
            return "its user or password is wrong"
        case _ if is_vhost_error(error):
            return "there is no such virtual host, or its user may not use it"
        case AMQPConnectionError() if isinstance(error.__cause__, OSError):
            return errors.describe_error(error.__cause__)
        case asyncio.CancelledError():
            return "the connection was lost"
        case _:
            return errors.describe_error(error)


def is_vhost_error(error: BaseException | None) -> bool:
    """Return whether the broker accepted the user but rejected the virtual host."""
    # The library does not pass on the broker's reason.
    return isinstance(error, InvalidFrameError) and "OpenOk" in str(error)


async def gather_calls(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """Return the results of concurrent calls. Raise Unavailable if one fails.

    Each runs in its own task, because the library may end a call by cancelling its caller when the connection is lost.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, FAILURES) or type(result) is Exception:  # a closed channel
            raise unavailable() from result
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def check_url(url: str) -> None:
    """Raise ValueError for a wrong URL, without quoting any part of it."""
    try:
        host = URL(url).host
    except ValueError:
        host = None
    if not host:
        raise ValueError(
            "it must have the form amqp://user:password@queue.example:5672/; in a password, write / as %2F, ? as %3F, "
            "# as %23 and @ as %40"
        )


async def connect(url: str, purpose: str, timeout_s: float) -> AbstractConnection:
    address = URL(url).with_query({"heartbeat": str(HEARTBEAT_S), **URL(url).query})
    connection = aio_pika.Connection(address, client_properties={"connection_name": f"scoreboard {purpose}"})
    try:
        await connection.connect(timeout=timeout_s)
    except BaseException:
        await connection.close()  # Otherwise the garbage collector closes it, possibly in another thread.
        raise
    return connection


class ReconnectingConnection(Generic[S]):
    """A connection with a session, which is opened again after a loss.

    `prepare` opens the session on a new connection. Its second argument is a function that abandons the connection.
    Nothing connects before `start` or the first call of `session`.

    Calls of the library are abandoned after a time-out, without relying on their cancellation: it can swallow that.
    """

    def __init__(
        self,
        url: str,
        purpose: str,
        prepare: Callable[[AbstractConnection, GiveUp], Awaitable[S]],
        timeouts: RabbitTimeouts,
    ) -> None:
        self._url = url
        self._purpose = purpose
        self._prepare = prepare
        self._timeouts = timeouts
        self._connection: AbstractConnection | None = None
        self._session: S | None = None
        self._running: asyncio.Task[None] | None = None
        self._attempted = asyncio.Event()
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outage_logged = False

    def start(self) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def session(self) -> S:
        """Return the open session. Raise Unavailable, at once after a failed attempt."""
        self.start()
        if self._session is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeouts.session_s):
                    await self._attempted.wait()
        if self._session is None:
            raise unavailable()
        return self._session

    async def close(self) -> None:
        if not self._closing.done():
            self._closing.set_result(None)
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        failures = 0
        while not self._closing.done():
            if await self._connect_once():
                failures = 0
                self._attempted.clear()
            failures += 1
            await asyncio.wait((self._closing,), timeout=RETRIES.pause_s(failures))
        self._attempted.set()

    async def _connect_once(self) -> bool:
        """Connect and wait for the loss of the connection; return whether there was one."""
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def give_up() -> None:
            if not lost.done():
                lost.set_result(None)

        opening = asyncio.create_task(self._open(give_up))
        try:
            await asyncio.wait((self._closing, opening), timeout=self._timeouts.attempt_s, return_when=FIRST_COMPLETED)
            if self._closing.done():
                return False
            if not opening.done():
                raise TimeoutError
            self._session = opening.result()
            self._outage_logged = False
            log.info("queue_connected", purpose=self._purpose)
            self._attempted.set()
            await asyncio.wait((self._closing, lost), return_when=FIRST_COMPLETED)
        except TopologyMismatch as error:
            log.error("queue_declared_differently", detail=str(error))
            return False
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            if not self._outage_logged:
                log.warning("queue_unreachable", purpose=self._purpose, error=describe_error(error))
            self._outage_logged = True
            return False
        else:
            log.info("queue_connection_closed", purpose=self._purpose)
            return True
        finally:
            self._session = None
            self._attempted.set()
            await self._abandon(opening)

    async def _open(self, give_up: GiveUp) -> S:
        self._connection = await connect(self._url, self._purpose, self._timeouts.connect_s)
        self._connection.close_callbacks.add(lambda *_: give_up())
        return await self._prepare(self._connection, give_up)

    async def _abandon(self, opening: "asyncio.Task[S]") -> None:
        """Close the connection, but do not wait long for a broker that does not respond."""
        opening.add_done_callback(retrieve_exception)
        if self._connection is not None:
            closing = asyncio.ensure_future(self._connection.close())
            closing.add_done_callback(retrieve_exception)
            await asyncio.wait((closing, opening), timeout=CLOSE_S)
            self._connection = None
        opening.cancel()


def retrieve_exception(future: "asyncio.Future[Any]") -> None:
    """Keep asyncio from logging the failure of an abandoned call."""
    if not future.cancelled():
        future.exception()
