"""The exchanges and queues on the broker, whose names begin with one name.

    NAME                      direct exchange; routing keys SHARD.PRIORITY and `dead`
    NAME.work.SHARD.PRIORITY  messages to handle
    NAME.delay.MS             fanout exchange, and a queue whose messages return to NAME after MS milliseconds, with
                              their routing key. Each wait has its own queue, so that no message delays another
    NAME.dead                 dead letters
    NAME.takers               always empty; every worker consumes it, so that workers can be counted. For a queue with
                              a single active consumer, the broker reports only that one

All are quorum queues: a confirm means that a majority has stored the message on disk. A message that moves to another
queue stays in the first until the second has it, so it may be delivered twice.
"""

import random
from collections.abc import Sequence
from itertools import product
from typing import Any
from zlib import crc32

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed

from scoreboard.domain.board import Priority

NAME = "scoreboard"  # with which all names on the broker begin
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
SHARDS = 4
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
JITTER = (0.75, 1.25)  # factors of a wait, one of which is drawn at random
_DEAD, _TAKERS = "dead", "takers"
_DELIVERY_LIMIT = 1_000_000  # The default of RabbitMQ 4 would dead-letter a message after 20 returns.


class TopologyMismatch(Exception):
    """A queue or exchange of this name that was declared with other arguments."""


class Topology:
    """The names of the exchanges and queues, and their declaration.

    `shards` and `waits_s` must be the same in every process. Before lowering `shards`, drain the queues: no worker
    consumes those of the removed shards.
    """

    def __init__(self, name: str, shards: int = SHARDS, waits_s: Sequence[float] = WAITS_S) -> None:
        self.exchange = name
        self.dead = f"{name}.dead"
        self.takers = f"{name}.takers"
        self.dead_key = _DEAD
        self.shards = shards
        self._delays_ms = [[round(wait_s * part * 1_000) for part in JITTER] for wait_s in waits_s]

    @property
    def work(self) -> list[tuple[str, Priority]]:
        """The queues of messages to handle, each with its priority."""
        pairs = product(PRIORITIES, range(self.shards))
        return [(f"{self.exchange}.work.{shard}.{priority}", priority) for priority, shard in pairs]

    @property
    def delays(self) -> list[str]:
        """The exchanges, and queues of the same names, in which messages await a retry."""
        return list(self._waits())

    def key(self, partition_key: str, priority: Priority) -> str:
        """Return the routing key of messages. It is stable across processes."""
        return f"{crc32(partition_key.encode()) % self.shards}.{priority}"

    def delay(self, attempt: int) -> str:
        """Return the exchange for a message after this number of failures, from 1."""
        step = self._delays_ms[min(attempt, len(self._delays_ms)) - 1]
        return f"{self.exchange}.delay.{random.choice(step)}"  # noqa: S311 - jitter

    async def declare(self, connection: AbstractConnection, timeout_s: float) -> None:
        """Declare the exchanges and queues, `timeout_s` for each. Raise TopologyMismatch."""
        async with connection.channel() as channel:
            try:
                await self._declare(channel, timeout_s)
            except ChannelPreconditionFailed as error:
                raise TopologyMismatch(
                    f"the broker has a queue or exchange {self.exchange}.* with other arguments ({error}); drain and "
                    "delete it"
                ) from error

    async def _declare(self, channel: AbstractChannel, timeout_s: float) -> None:
        await channel.declare_exchange(self.exchange, "direct", durable=True, timeout=timeout_s)
        await self.declare_queue(channel, timeout_s, self.dead, self.exchange, _DEAD)
        await self.declare_queue(channel, timeout_s, self.takers, self.exchange, _TAKERS)
        work: dict[str, Any] = {
            "x-single-active-consumer": True,
            "x-dead-letter-exchange": self.exchange,
            "x-dead-letter-routing-key": _DEAD,
        }
        for name, _ in self.work:
            key = name.removeprefix(f"{self.exchange}.work.")
            await self.declare_queue(channel, timeout_s, name, self.exchange, key, **work)
        for name, delay_ms in self._waits().items():
            await channel.declare_exchange(name, "fanout", durable=True, timeout=timeout_s)
            arguments = {"x-message-ttl": delay_ms, "x-dead-letter-exchange": self.exchange}
            await self.declare_queue(channel, timeout_s, name, name, "", **arguments)

    async def declare_queue(
        self, channel: AbstractChannel, timeout_s: float, name: str, exchange: str, key: str, **arguments: Any
    ) -> None:
        common: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-delivery-limit": _DELIVERY_LIMIT,
            "x-overflow": "reject-publish",
        }
        if "x-dead-letter-exchange" in arguments:
            common["x-dead-letter-strategy"] = "at-least-once"
        queue = await channel.declare_queue(name, durable=True, arguments=common | arguments, timeout=timeout_s)
        await queue.bind(exchange, key, timeout=timeout_s)

    def _waits(self) -> dict[str, int]:
        return {f"{self.exchange}.delay.{delay_ms}": delay_ms for step in self._delays_ms for delay_ms in step}
