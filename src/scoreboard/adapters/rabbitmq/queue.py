"""RabbitQueue: the queue on RabbitMQ 3.10 or newer."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
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
    ReconnectingConnection,
    connect,
    describe_error,
    looked_at,
    settled,
    unavailable,
)
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.queue import Delivery, Message, StoredDeadLetter

log = structlog.get_logger(__name__)

CALL_S = 5.0
BLOCKED_S = 0.25  # how long a broker that is out of memory or disk is waited for
SENT_AT_ONCE = 200  # messages, before their confirms are awaited
SHARE_EVERY_S = 5.0
FETCH_AHEAD = 8  # messages of each queue, times the weight of its tier


class _Tag(NamedTuple):
    """`session` tells apart what came on different connections: the broker counts on each from 1."""

    session: int
    number: int


class _Publisher:
    """A channel with confirms. Nothing else goes over its connection: the broker stops reading from who publishes when
    it is out of memory or disk."""

    def __init__(self, connection: AbstractConnection, topology: Topology, give_up: Callable[[], None]) -> None:
        self._connection = connection
        self._channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        self._topology = topology
        self._give_up = give_up
        self._mending: asyncio.Task[None] | None = None
        self._is_blocked = False  # as the log knows by now

    async def open(self) -> None:
        await self._topology.declare(self._connection)
        await self._channel.initialize(timeout=CALL_S)
        self._channel.close_callbacks.add(lambda *_: self._give_up())

    async def send(self, exchange: str, key: str, message: aio_pika.Message) -> None:
        """Returns when a queue has it for good. Raises Unavailable."""
        await self._unblocked()
        to = await self._channel.get_exchange(exchange, ensure=False)
        sending = asyncio.ensure_future(to.publish(message, key, mandatory=True, timeout=CALL_S))
        sending.add_done_callback(looked_at)
        await asyncio.wait((sending,), timeout=BLOCKED_S)
        if not sending.done():
            await self._unblocked()  # it may have said so since; the message may be taken all the same, later
        try:
            await sending
        except PublishError as error:
            log.error("queue_unroutable", exchange=exchange, key=key)
            self._mend()
            raise unavailable("the queue's server has no queue for this; it is being made again") from error
        except TimeoutError:
            await self._unblocked()  # else it does not answer at all
            self._give_up()
            raise

    async def _unblocked(self) -> None:
        transport = self._connection.transport
        if transport is None:
            raise unavailable()
        try:
            async with asyncio.timeout(0 if self._is_blocked else BLOCKED_S):
                await transport.ready()
        except TimeoutError as error:
            if not self._is_blocked:
                log.warning("queue_blocked", remedy="give it more of what `rabbitmqctl list_alarms` names")
            self._is_blocked = True
            raise unavailable("the queue's server is out of memory or disk") from error
        if self._is_blocked:
            log.info("queue_unblocked")
        self._is_blocked = False

    def _mend(self) -> None:
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._declare_again())

    async def _declare_again(self) -> None:
        try:
            await self._topology.declare(self._connection)
        except Exception as error:
            log.error("queue_not_mended", error=describe_error(error))
            self._give_up()


class _Consumer:
    """A consumer of every queue of work; what comes is put in `tiers`.

    The broker gives a queue to one consumer at a time, the one that came first. So who gets messages from more queues
    of a tier than its share passes some on, by going to the end of their lines. What it had fetched ahead of those may
    then be taken after what another takes.
    """

    def __init__(
        self, connection: AbstractConnection, tiers: PriorityBuffer, number: int, give_up: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._channel: AbstractChannel = connection.channel(publisher_confirms=False)
        self._tiers = tiers
        self._number = number
        self._give_up = give_up
        self._held: set[_Tag] = set()
        self._consumers: dict[str, str] = {}
        self._busy: set[str] = set()  # queues from which something came since the last look
        self._sharing: asyncio.Task[None] | None = None

    async def open(self, topology: Topology, fetch_ahead: int, share_every_s: float) -> None:
        """What is fetched ahead of each tier is in proportion to its weight, so that under load it is taken so."""
        await topology.declare(self._connection)
        await self._channel.initialize(timeout=CALL_S)
        self._channel.close_callbacks.add(lambda *_: self._over())
        underlay = await self._channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: self._give_up())  # its queue was deleted
        for name, tier in topology.work:
            await self.consume(name, fetch_ahead * WEIGHTS[tier])
        await (await self._channel.get_queue(topology.takers, ensure=False)).consume(_ignore, timeout=CALL_S)
        self._sharing = asyncio.create_task(self._share(topology, fetch_ahead, share_every_s))

    async def consume(self, name: str, fetch_ahead: int) -> None:
        await self._channel.set_qos(prefetch_count=fetch_ahead, timeout=CALL_S)
        queue = await self._channel.get_queue(name, ensure=False)
        self._consumers[name] = await queue.consume(partial(self._came, name), timeout=CALL_S)

    async def _came(self, name: str, incoming: AbstractIncomingMessage) -> None:
        self._busy.add(name)
        tag = _Tag(self._number, incoming.delivery_tag or 0)
        self._held.add(tag)
        self._tiers.add(Delivery(wire.unpack(incoming), bool(incoming.redelivered), tag))

    async def _share(self, topology: Topology, fetch_ahead: int, every_s: float) -> None:
        try:
            while True:
                await asyncio.sleep(every_s)
                busy, self._busy = self._busy, set()
                for tier, weight in WEIGHTS.items():
                    names = [name for name, its in topology.work if its == tier and name in busy]
                    if len(names) > 1:
                        share = math.ceil(topology.shards / await self._count_takers(topology))
                        await self._pass_on(names[share:], fetch_ahead * weight)
        except (Exception, asyncio.CancelledError):
            self._over()

    async def _count_takers(self, topology: Topology) -> int:
        takers = await self._channel.declare_queue(topology.takers, passive=True, timeout=CALL_S)
        return takers.declaration_result.consumer_count or 1

    async def _pass_on(self, names: Sequence[str], fetch_ahead: int) -> None:
        for name in names:
            queue = await self._channel.get_queue(name, ensure=False)
            await queue.cancel(self._consumers[name], timeout=CALL_S)
            await self.consume(name, fetch_ahead)

    def _over(self) -> None:
        if self._sharing is not None:
            self._sharing.cancel()
        self._give_up()

    @property
    def is_open(self) -> bool:
        return not self._channel.is_closed

    def holds(self, delivery: Delivery) -> bool:
        return delivery.tag in self._held

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Returns when the system has taken the acknowledgements; the broker does not answer them. When that fails, the
        connection is given up: only so does what was not acknowledged come again."""
        held = list(dict.fromkeys(delivery.tag for delivery in deliveries if self.holds(delivery)))
        try:
            channel = await self._channel.get_underlay_channel()
            async with asyncio.timeout(CALL_S):
                for tag in held:
                    self._held.discard(tag)
                    await channel.basic_ack(tag.number, wait=tag is held[-1])
        except BaseException:
            self._give_up()
            raise


class RabbitQueue:
    """Three connections, each made when it is first needed, and again when it is lost: to put, to take, and to ask.

    What came over a connection that was lost is not in this process's hands any more: it comes again, and what is done
    with the old delivery does nothing. Messages fetched ahead by other processes do not count as `waiting`.
    """

    def __init__(self, url: str, topology: Topology, clock: Clock, share_every_s: float) -> None:
        self._topology = topology
        self._clock = clock
        self._share_every_s = share_every_s
        self._tiers = PriorityBuffer()
        self._newest: _Consumer | None = None
        self._sessions = 0
        self._last_burial = 0
        self._digging = asyncio.Lock()
        self._publishing = ReconnectingConnection(url, "publishing", self._publish)
        self._taking = ReconnectingConnection(url, "taking", self._consume)
        self._asking = ReconnectingConnection(url, "asking", self._ask)

    async def _publish(self, connection: AbstractConnection, give_up: Callable[[], None]) -> _Publisher:
        session = _Publisher(connection, self._topology, give_up)
        await session.open()
        return session

    async def _consume(self, connection: AbstractConnection, give_up: Callable[[], None]) -> _Consumer:
        self._sessions += 1
        self._tiers.clear()
        self._newest = session = _Consumer(connection, self._tiers, self._sessions, give_up)
        await session.open(self._topology, FETCH_AHEAD, self._share_every_s)
        return session

    async def _ask(self, connection: AbstractConnection, _: Callable[[], None]) -> AbstractConnection:
        await self._topology.declare(connection)
        return connection

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._send(*(self._work(message) for message in messages))

    async def receive(self, most: int) -> Sequence[Delivery]:
        self._taking.start()
        return await self._tiers.next(most)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        taking = await self._holder()
        await settled(taking.acknowledge(deliveries))

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        message = delivery.message._replace(body=body, attempt=delivery.message.attempt + 1)
        key = self._topology.key(message.partition_key, message.priority)
        await self._instead(delivery, self._topology.delay(message.attempt), key, wire.pack(message))

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        self._last_burial = max(self._clock(), self._last_burial + 1)
        letter = wire.pack_dead_letter(delivery.message._replace(body=body), reason, self._last_burial)
        await self._instead(delivery, self._topology.exchange, self._topology.dead_key, letter)

    async def list_dead_letters(self, most: int) -> list[StoredDeadLetter]:
        async with self._digging:
            (letters,) = await settled(self._look(await self._asking.session(), most))
        return letters

    async def requeue(self, letter: str, *, again: bool) -> bool:
        async with self._digging:
            (found,) = await settled(self._dig(await self._asking.session(), letter, again))
        return found

    async def count_dead_letters(self) -> int:
        (ready,) = await settled(self._count(await self._asking.session(), [self._topology.dead]))
        return ready

    async def count_waiting(self) -> int:
        names = [name for name, _ in self._topology.work]
        (ready,) = await settled(self._count(await self._asking.session(), names))
        return ready + len(self._tiers)

    async def close(self) -> None:
        await asyncio.gather(*(link.close() for link in (self._taking, self._publishing, self._asking)))

    def _work(self, message: Message) -> tuple[str, str, aio_pika.Message]:
        return self._topology.exchange, self._topology.key(message.partition_key, message.priority), wire.pack(message)

    async def _send(self, *sent: tuple[str, str, aio_pika.Message]) -> None:
        publishing = await self._publishing.session()
        for start in range(0, len(sent), SENT_AT_ONCE):
            await settled(*(publishing.send(*one) for one in sent[start : start + SENT_AT_ONCE]))

    async def _instead(self, delivery: Delivery, exchange: str, key: str, message: aio_pika.Message) -> None:
        """In this order, so that it is in somebody's hands at every moment; after a failure between, in two."""
        taking = await self._holder()
        if taking.holds(delivery):
            await self._send((exchange, key, message))
            await settled(taking.acknowledge((delivery,)))

    async def _holder(self) -> _Consumer:
        """Who holds what was taken. While it still consumes one queue after the other, messages of the first have come,
        so it does before it is the link's session."""
        if self._newest is not None and self._newest.is_open:
            return self._newest
        return await self._taking.session()

    async def _letters(self, channel: AbstractChannel) -> AsyncIterator[AbstractIncomingMessage]:
        """The dead letters, in any order, until there is none that is not in somebody's hands."""
        queue = await channel.get_queue(self._topology.dead, ensure=False)
        while (found := await queue.get(fail=False, timeout=CALL_S)) is not None:
            yield found

    async def _look(self, connection: AbstractConnection, most: int) -> list[StoredDeadLetter]:
        """All are looked at: the broker puts what is given back behind what was given back before."""
        oldest: list[StoredDeadLetter] = []
        async with connection.channel() as channel:
            async for one in self._letters(channel):
                oldest.append(wire.unpack_dead_letter(one))
                if len(oldest) > 2 * most:
                    oldest = _oldest(oldest, most)
            await _give_back(channel)
        return _oldest(oldest, most)

    async def _dig(self, connection: AbstractConnection, letter: str, again: bool) -> bool:
        found = False
        async with connection.channel() as channel:
            async for one in self._letters(channel):
                found = one.message_id == letter
                if found:
                    if again:
                        await self._send(self._work(wire.unpack(one)._replace(attempt=0)))
                    await one.ack()
                    break
            await _give_back(channel)
        return found

    async def _count(self, connection: AbstractConnection, names: Sequence[str]) -> int:
        ready = 0
        async with connection.channel() as channel:
            for name in names:
                queue = await channel.declare_queue(name, passive=True, timeout=CALL_S)
                ready += queue.declaration_result.message_count or 0
        return ready


def _oldest(letters: list[StoredDeadLetter], most: int) -> list[StoredDeadLetter]:
    return sorted(letters, key=lambda letter: (letter.since, letter.id))[:most]


async def _give_back(channel: AbstractChannel) -> None:
    """What this channel got and did not acknowledge can be got again, from now on. (With the end of the channel it
    could too, but only some time later.)"""
    underlay = await channel.get_underlay_channel()
    await underlay.basic_nack(0, multiple=True, requeue=True)


async def _ignore(_: AbstractIncomingMessage) -> None:
    """Nobody sends any."""


def wall_clock() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def open_queue(
    url: str, topology: Topology, clock: Clock = wall_clock, share_every_s: float = SHARE_EVERY_S
) -> AsyncIterator[RabbitQueue]:
    """The queue, with what is missing on the broker made, or later when the broker is away. Raises TopologyMismatch
    when what is there was declared in another way."""
    try:
        connection = await connect(url, "declaring")
        async with connection:
            await topology.declare(connection)
    except FAILURES as error:
        log.warning("queue_unreachable", purpose="declaring", error=describe_error(error))
    queue = RabbitQueue(url, topology, clock, share_every_s)
    try:
        yield queue
    finally:
        await queue.close()
