"""A connection to the broker that is made again whenever it is lost.

Not aio-pika's robust connection: with that one a publish waits for as long as the broker is away, and what was declared
is restored from its memory rather than looked at again.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ProbableAuthenticationError
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from yarl import URL

from scoreboard.adapters.rabbitmq.topology import TopologyMismatch
from scoreboard.domain import codes, errors
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)

S = TypeVar("S")
T = TypeVar("T")

CONNECT_S = 5.0
ATTEMPT_S = 30.0
PATIENCE_S = 2.0  # for a connection that is being made; while the broker is known to be away nobody waits
CLOSE_S = 3.0
HEARTBEAT_S = 10
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0

for library in ("aiormq", "aio_pika"):  # whose lines have no form, and come with each try; Link tells an outage, once
    logging.getLogger(library).setLevel(logging.CRITICAL)

FAILURES = (*CONNECTION_EXCEPTIONS, TimeoutError, asyncio.CancelledError)


def unavailable(detail: str = "the queue's server cannot be reached") -> Unavailable:
    return codes.QUEUE_UNAVAILABLE.error(detail, retry_after_s=1)


def describe_error(error: BaseException) -> str:
    """In a few words that have no secret in them."""
    match error:
        case ProbableAuthenticationError():
            return "its user or password is wrong"
        case _ if is_vhost_error(error):
            return "there is no such virtual host, or its user may not use it"
        case AMQPConnectionError() if isinstance(error.__cause__, OSError):
            return errors.describe_error(error.__cause__)
        case asyncio.CancelledError():
            return "the connection broke"
        case _:
            return errors.describe_error(error)


def is_vhost_error(error: BaseException | None) -> bool:
    """Whether the broker took user and password, and not the virtual host. The library does not pass its words on."""
    return isinstance(error, InvalidFrameError) and "OpenOk" in str(error)


async def settled(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """What calls to the broker, made at once, come to. Raises Unavailable when one fails.

    Each has a task of its own: when a connection is lost, the library may end a call by cancelling who waits in it.
    """
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, FAILURES) or type(result) is Exception:  # the library's for a channel that was closed
            raise unavailable() from result
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def check_url(url: str) -> None:
    """Raises ValueError, whose text has nothing of the URL in it."""
    try:
        host = URL(url).host
    except ValueError:
        host = None
    if not host:
        raise ValueError(
            "it is not like amqp://user:password@queue.example:5672/; in a password '/' is written %2F, '?' %3F, "
            "'#' %23 and '@' %40"
        )


async def connect(url: str, purpose: str) -> AbstractConnection:
    timed = URL(url).update_query(heartbeat=HEARTBEAT_S) if "heartbeat" not in URL(url).query else URL(url)
    connection = aio_pika.Connection(timed, client_properties={"connection_name": f"scoreboard {purpose}"})
    try:
        await connection.connect(timeout=CONNECT_S)
    except BaseException:
        await connection.close()  # else it does so when it is collected, in whatever thread that happens
        raise
    return connection


class ReconnectingConnection(Generic[S]):
    """`prepare` makes of a new connection what is used of it, the session; it is given a function that gives the
    connection up. Nothing connects before `start` or the first `session`.

    What the library does is waited for and then left, never cancelled and relied on to end: it can swallow that.
    """

    def __init__(
        self,
        url: str,
        purpose: str,
        prepare: Callable[[AbstractConnection, Callable[[], None]], Awaitable[S]],
    ) -> None:
        self._url = url
        self._purpose = purpose
        self._prepare = prepare
        self._connection: AbstractConnection | None = None
        self._session: S | None = None
        self._running: asyncio.Task[None] | None = None
        self._tried = _Signal()
        self._closing = _Signal()
        self._away = False  # as the log knows by now

    def start(self) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def session(self) -> S:
        """The session of the connection there is. Raises Unavailable when there is none, at once when the last try to
        connect failed."""
        self.start()
        if self._session is None:
            await self._tried.given(PATIENCE_S)
        if self._session is None:
            raise unavailable()
        return self._session

    async def close(self) -> None:
        self._closing.give()
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closing.is_given:
            if await self._live():
                pause_s = FIRST_PAUSE_S
                self._tried = _Signal()
            await self._closing.given(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._tried.give()

    async def _live(self) -> bool:
        """Connect, and return when the connection is lost again; False when there was none."""
        lost = _Signal()
        making = asyncio.create_task(self._made(lost))
        try:
            await self._closing.given(ATTEMPT_S, making)
            if self._closing.is_given:
                return False
            if not making.done():
                raise TimeoutError
            self._session = making.result()
            self._away = False
            log.info("queue_connected", purpose=self._purpose)
            self._tried.give()
            await self._closing.given(None, lost.future)
        except TopologyMismatch as error:
            log.error("queue_declared_otherwise", detail=str(error))
            return False
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            if not self._away:
                log.warning("queue_unreachable", purpose=self._purpose, error=describe_error(error))
            self._away = True
            return False
        else:
            log.info("queue_connection_over", purpose=self._purpose)
            return True
        finally:
            self._session = None
            self._tried.give()
            await self._leave(making)

    async def _made(self, lost: "_Signal") -> S:
        self._connection = await connect(self._url, self._purpose)
        self._connection.close_callbacks.add(lambda *_: lost.give())
        return await self._prepare(self._connection, lost.give)

    async def _leave(self, making: "asyncio.Task[S]") -> None:
        """What the broker does not answer is left to its fate."""
        making.add_done_callback(looked_at)
        if self._connection is not None:
            closing = asyncio.ensure_future(self._connection.close())
            closing.add_done_callback(looked_at)
            await asyncio.wait((closing, making), timeout=CLOSE_S)
            self._connection = None
        making.cancel()


class _Signal:
    """Given once."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_given(self) -> bool:
        return self.future.done()

    def give(self) -> None:
        if not self.future.done():
            self.future.set_result(None)

    async def given(self, timeout_s: float | None, *others: "asyncio.Future[Any]") -> None:
        """Returns when it is, or one of the others is done, or after so long."""
        await asyncio.wait((self.future, *others), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


def looked_at(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
