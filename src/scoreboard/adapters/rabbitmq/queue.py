"""RabbitQueue: the queue on RabbitMQ 3.10 or newer."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import PublishError

from scoreboard.adapters.rabbitmq import wire
from scoreboard.adapters.rabbitmq.priority_buffer import WEIGHTS, PriorityBuffer
from scoreboard.adapters.rabbitmq.reconnecting import (
    FAILURES,
    GiveUp,
    ReconnectingConnection,
    connect,
    describe_error,
    gather_calls,
    retrieve_exception,
    unavailable,
)
from scoreboard.adapters.rabbitmq.timeouts import DEFAULTS, RabbitTimeouts
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.queue import Delivery, Message, StoredDeadLetter

log = structlog.get_logger(__name__)

MAX_REASON_CHARS = 1_000
PUBLISH_CHUNK = 200  # messages that are sent before their confirms are awaited
REBALANCE_S = 5.0
PREFETCH = 8  # messages of each queue, times the weight of its priority


class _Tag(NamedTuple):
    """A delivery tag. The broker numbers deliveries from 1 in each session."""

    session: int
    number: int


class _Publisher:
    """A channel with publisher confirms.

    It has its own connection, because a broker that is out of memory or disk stops reading from publishers.
    """

    def __init__(
        self, connection: AbstractConnection, topology: Topology, timeouts: RabbitTimeouts, give_up: GiveUp
    ) -> None:
        self._connection = connection
        self._channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        self._topology = topology
        self._timeouts = timeouts
        self._give_up = give_up
        self._redeclaring: asyncio.Task[None] | None = None
        self._block_logged = False

    async def open(self) -> None:
        await self._channel.initialize(timeout=self._timeouts.call_s)
        self._channel.close_callbacks.add(lambda *_: self._give_up())

    async def send(self, exchange: str, key: str, message: aio_pika.Message) -> None:
        """Return when a queue has stored the message. Raise Unavailable."""
        await self._check_unblocked()
        target = await self._channel.get_exchange(exchange, ensure=False)
        sending = asyncio.ensure_future(target.publish(message, key, mandatory=True, timeout=self._timeouts.call_s))
        sending.add_done_callback(retrieve_exception)
        await asyncio.wait((sending,), timeout=self._timeouts.blocked_s)
        if not sending.done():
            await self._check_unblocked()  # A blocked broker may still store the message later.
        try:
            await sending
        except PublishError as error:
            log.error("queue_unroutable", exchange=exchange, key=key)
            if self._redeclaring is None or self._redeclaring.done():
                self._redeclaring = asyncio.create_task(self._redeclare())
            raise unavailable("a queue is missing and is being created again; try again in a moment") from error
        except TimeoutError:
            await self._check_unblocked()
            self._give_up()  # The broker does not respond at all.
            raise

    async def _check_unblocked(self) -> None:
        transport = self._connection.transport
        if transport is None:
            raise unavailable()
        try:
            async with asyncio.timeout(0 if self._block_logged else self._timeouts.blocked_s):
                await transport.ready()
        except TimeoutError as error:
            if not self._block_logged:
                log.warning("queue_blocked", remedy="add the resource that `rabbitmqctl list_alarms` reports as low")
            self._block_logged = True
            raise unavailable("the queue's server is out of memory or disk space") from error
        if self._block_logged:
            log.info("queue_unblocked")
        self._block_logged = False

    async def _redeclare(self) -> None:
        try:
            await self._topology.declare(self._connection, self._timeouts.declare_s)
        except Exception as error:
            log.error("queue_not_redeclared", error=describe_error(error))
            self._give_up()


class _Consumer:
    """A consumer of every work queue, which fills the buffer.

    The broker sends the messages of a queue to one consumer at a time, the one that subscribed first. A process that
    receives from more than its share of the queues of a priority subscribes to some again, behind the other processes.
    Messages that it had prefetched from those may then be handled after later messages.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        topology: Topology,
        call_s: float,
        give_up: GiveUp,
        buffer: PriorityBuffer,
        session: int,
    ) -> None:
        self._channel: AbstractChannel = connection.channel(publisher_confirms=False)
        self._topology = topology
        self._call_s = call_s
        self._buffer = buffer
        self._session = session
        self._give_up = give_up
        self._unacknowledged: set[_Tag] = set()
        self._consumers: dict[str, str] = {}
        self._busy: set[str] = set()  # queues that had messages since the last rebalancing
        self._rebalancing: asyncio.Task[None] | None = None

    async def open(self, rebalance_s: float) -> None:
        """Subscribe to all queues, with prefetch counts in proportion to the weights."""
        await self._channel.initialize(timeout=self._call_s)
        self._channel.close_callbacks.add(lambda *_: self._stop())
        underlay = await self._channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self._give_up())  # The queue was deleted.
        for name, priority in self._topology.work:
            await self.consume(name, PREFETCH * WEIGHTS[priority])
        takers = await self._channel.get_queue(self._topology.takers, ensure=False)
        await takers.consume(_ignore, timeout=self._call_s)
        self._rebalancing = asyncio.create_task(self._rebalance(rebalance_s))

    async def consume(self, name: str, prefetch: int) -> None:
        await self._channel.set_qos(prefetch_count=prefetch, timeout=self._call_s)
        queue = await self._channel.get_queue(name, ensure=False)
        self._consumers[name] = await queue.consume(partial(self._on_message, name), timeout=self._call_s)

    async def _on_message(self, name: str, incoming: AbstractIncomingMessage) -> None:
        self._busy.add(name)
        tag = _Tag(self._session, incoming.delivery_tag or 0)
        self._unacknowledged.add(tag)
        self._buffer.add(Delivery(wire.unpack(incoming), bool(incoming.redelivered), tag))

    async def _rebalance(self, period_s: float) -> None:
        """Leave busy queues beyond the share of this process to others, periodically."""
        try:
            while True:
                await asyncio.sleep(period_s)
                busy, self._busy = self._busy, set()
                for priority, weight in WEIGHTS.items():
                    names = [name for name, its in self._topology.work if its == priority and name in busy]
                    if len(names) > 1:
                        takers = self._topology.takers
                        found = await self._channel.declare_queue(takers, passive=True, timeout=self._call_s)
                        share = math.ceil(self._topology.shards / (found.declaration_result.consumer_count or 1))
                        await self._resubscribe(names[share:], PREFETCH * weight)
        except (Exception, asyncio.CancelledError):
            self._stop()

    async def _resubscribe(self, names: Sequence[str], prefetch: int) -> None:
        for name in names:
            queue = await self._channel.get_queue(name, ensure=False)
            await queue.cancel(self._consumers[name], timeout=self._call_s)
            await self.consume(name, prefetch)

    def _stop(self) -> None:
        if self._rebalancing is not None:
            self._rebalancing.cancel()
        self._give_up()

    @property
    def is_open(self) -> bool:
        return not self._channel.is_closed

    def holds(self, delivery: Delivery) -> bool:
        return delivery.tag in self._unacknowledged

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Return when the acknowledgements are written; the broker does not confirm them.

        After a failure, give up the connection: only then does the broker redeliver the messages.
        """
        tags = list(dict.fromkeys(delivery.tag for delivery in deliveries if self.holds(delivery)))
        try:
            channel = await self._channel.get_underlay_channel()
            async with asyncio.timeout(self._call_s):
                for tag in tags:
                    self._unacknowledged.discard(tag)
                    await channel.basic_ack(tag.number, wait=tag is tags[-1])
        except BaseException:
            self._give_up()
            raise


class RabbitQueue:
    """A queue on three connections: for publishing, for consuming and for management.

    Each opens when it is first needed, and again after a loss. After a loss, the broker redelivers the messages that
    were received on the connection, and acknowledging an old delivery does nothing. `count_waiting` does not include
    messages that other processes have prefetched.
    """

    def __init__(
        self, url: str, topology: Topology, clock: Clock, timeouts: RabbitTimeouts, rebalance_s: float
    ) -> None:
        self._topology = topology
        self._clock = clock
        self._timeouts = timeouts
        self._rebalance_s = rebalance_s
        self._buffer = PriorityBuffer()
        self._newest: _Consumer | None = None
        self._sessions = 0
        self._latest_dead_letter = 0
        self._dead_letters_lock = asyncio.Lock()
        self._publishing = ReconnectingConnection(url, "publishing", self._open_publisher, timeouts)
        self._consuming = ReconnectingConnection(url, "consuming", self._open_consumer, timeouts)
        self._managing = ReconnectingConnection(url, "managing", self._declare, timeouts)

    async def _open_publisher(self, connection: AbstractConnection, give_up: GiveUp) -> _Publisher:
        await self._declare(connection)
        session = _Publisher(connection, self._topology, self._timeouts, give_up)
        await session.open()
        return session

    async def _open_consumer(self, connection: AbstractConnection, give_up: GiveUp) -> _Consumer:
        self._sessions += 1
        self._buffer.clear()
        await self._declare(connection)
        call_s = self._timeouts.call_s
        session = _Consumer(connection, self._topology, call_s, give_up, self._buffer, self._sessions)
        self._newest = session
        await session.open(self._rebalance_s)
        return session

    async def _declare(self, connection: AbstractConnection, _: GiveUp | None = None) -> AbstractConnection:
        await self._topology.declare(connection, self._timeouts.declare_s)
        return connection

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._send(*(self._to_work(message) for message in messages))

    async def receive(self, most: int) -> Sequence[Delivery]:
        self._consuming.start()
        return await self._buffer.next(most)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        consumer = await self._consumer()
        await gather_calls(consumer.ack(deliveries))

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        message = delivery.message._replace(body=body, attempt=delivery.message.attempt + 1)
        key = self._topology.key(message.partition_key, message.priority)
        await self._replace(delivery, self._topology.delay(message.attempt), key, wire.pack(message))

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        self._latest_dead_letter = max(self._clock(), self._latest_dead_letter + 1)
        message = delivery.message._replace(body=body)
        letter = wire.pack(message, reason=reason[:MAX_REASON_CHARS], since=self._latest_dead_letter)
        await self._replace(delivery, self._topology.exchange, self._topology.dead_key, letter)

    async def list_dead_letters(self, most: int) -> list[StoredDeadLetter]:
        async with self._dead_letters_lock:
            (letters,) = await gather_calls(self._oldest_dead_letters(await self._managing.session(), most))
        return letters

    async def requeue(self, letter: str, *, again: bool) -> bool:
        async with self._dead_letters_lock:
            (found,) = await gather_calls(self._remove_dead_letter(await self._managing.session(), letter, again))
        return found

    async def count_dead_letters(self) -> int:
        (ready,) = await gather_calls(self._count(await self._managing.session(), [self._topology.dead]))
        return ready

    async def count_waiting(self) -> int:
        names = [name for name, _ in self._topology.work]
        (ready,) = await gather_calls(self._count(await self._managing.session(), names))
        return ready + len(self._buffer)

    async def close(self) -> None:
        await asyncio.gather(*(one.close() for one in (self._consuming, self._publishing, self._managing)))

    def _to_work(self, message: Message) -> tuple[str, str, aio_pika.Message]:
        return self._topology.exchange, self._topology.key(message.partition_key, message.priority), wire.pack(message)

    async def _send(self, *sent: tuple[str, str, aio_pika.Message]) -> None:
        publisher = await self._publishing.session()
        for start in range(0, len(sent), PUBLISH_CHUNK):
            await gather_calls(*(publisher.send(*one) for one in sent[start : start + PUBLISH_CHUNK]))

    async def _replace(self, delivery: Delivery, exchange: str, key: str, message: aio_pika.Message) -> None:
        """Publish a message, and then acknowledge the delivery.

        In this order one of them exists at any time, and after a failure between the steps both.
        """
        consumer = await self._consumer()
        if consumer.holds(delivery):
            await self._send((exchange, key, message))
            await gather_calls(consumer.ack((delivery,)))

    async def _consumer(self) -> _Consumer:
        """Return the consumer of the received messages, which may still be subscribing."""
        if self._newest is not None and self._newest.is_open:
            return self._newest
        return await self._consuming.session()

    async def _get_dead_letters(self, channel: AbstractChannel) -> AsyncIterator[AbstractIncomingMessage]:
        """Yield the dead letters that no other channel holds, in any order."""
        queue = await channel.get_queue(self._topology.dead, ensure=False)
        while (found := await queue.get(fail=False, timeout=self._timeouts.call_s)) is not None:
            yield found

    async def _oldest_dead_letters(self, connection: AbstractConnection, most: int) -> list[StoredDeadLetter]:
        """Read all dead letters, because requeued ones are in no useful order."""
        oldest: list[StoredDeadLetter] = []
        async with connection.channel() as channel:
            async for one in self._get_dead_letters(channel):
                oldest.append(wire.unpack_dead_letter(one))
                if len(oldest) > 2 * most:
                    oldest = _oldest(oldest, most)
            await _requeue_all(channel)
        return _oldest(oldest, most)

    async def _remove_dead_letter(self, connection: AbstractConnection, letter: str, again: bool) -> bool:
        found = False
        async with connection.channel() as channel:
            async for one in self._get_dead_letters(channel):
                found = one.message_id == letter
                if found:
                    if again:
                        await self._send(self._to_work(wire.unpack(one)._replace(attempt=0)))
                    await one.ack()
                    break
            await _requeue_all(channel)
        return found

    async def _count(self, connection: AbstractConnection, names: Sequence[str]) -> int:
        ready = 0
        async with connection.channel() as channel:
            for name in names:
                queue = await channel.declare_queue(name, passive=True, timeout=self._timeouts.call_s)
                ready += queue.declaration_result.message_count or 0
        return ready


def _oldest(letters: list[StoredDeadLetter], most: int) -> list[StoredDeadLetter]:
    return sorted(letters, key=lambda letter: (letter.since, letter.id))[:most]


async def _requeue_all(channel: AbstractChannel) -> None:
    """Requeue the unacknowledged messages now. Closing the channel would do so later."""
    underlay = await channel.get_underlay_channel()
    await underlay.basic_nack(0, multiple=True, requeue=True)


async def _ignore(_: AbstractIncomingMessage) -> None:
    """Do nothing: the queue is always empty."""


@asynccontextmanager
async def open_queue(
    url: str, topology: Topology, clock: Clock, timeouts: RabbitTimeouts = DEFAULTS, rebalance_s: float = REBALANCE_S
) -> AsyncIterator[RabbitQueue]:
    """Open the queue, and declare it now or when the broker is up.

    Raise TopologyMismatch when the broker has a queue with other arguments.
    """
    try:
        async with await connect(url, "declaring", timeouts.connect_s) as connection:
            await topology.declare(connection, timeouts.declare_s)
    except FAILURES as error:
        log.warning("queue_unreachable", purpose="declaring", error=describe_error(error))
    queue = RabbitQueue(url, topology, clock, timeouts, rebalance_s)
    try:
        yield queue
    finally:
        await queue.close()
