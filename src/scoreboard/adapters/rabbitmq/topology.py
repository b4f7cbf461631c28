"""The exchanges and queues on the broker, by one name that they all begin with.

    NAME                 direct exchange; routing keys SHARD.TIER and `dead`
    NAME.work.SHARD.TIER what is to be taken
    NAME.delay.MS        fanout exchange, and the queue behind it: after so many milliseconds its messages go back to
                         NAME under the routing key they came with. One wait a queue, so that none holds up another
    NAME.dead            the dead letters
    NAME.takers          nothing: who takes consumes it too, so that its consumers can be counted (of a queue with a
                         single active consumer the broker tells only that one)

All are quorum queues: a confirm means that a majority has it on disk. What moves a message from queue to queue keeps it
in the first until the second has it (dead letters at least once).
"""

import random
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed

from scoreboard.domain.board import Priority

NAME = "scoreboard"  # what all names on the broker begin with
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
SHARDS = 4
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
JITTER = (0.75, 1.25)  # of a wait: which one a message gets is drawn
DECLARE_S = 10.0
_DEAD, _TAKERS = "dead", "takers"
_NEVER_DROPPED = 1_000_000  # returns to the queue; RabbitMQ 4 would take a message for poison after 20


class TopologyMismatch(Exception):
    """Something is on the broker under our name, declared in another way."""


class Topology:
    """`shards` and `waits_s` must be the same in every process. With fewer shards, what is left in the queues of those
    that are gone is not taken: drain first."""

    def __init__(self, name: str, shards: int = SHARDS, waits_s: Sequence[float] = WAITS_S) -> None:
        self.exchange = name
        self.dead = f"{name}.dead"
        self.takers = f"{name}.takers"
        self.dead_key = _DEAD
        self.shards = shards
        self._delays_ms = [[round(wait_s * part * 1_000) for part in JITTER] for wait_s in waits_s]

    @property
    def work(self) -> list[tuple[str, Priority]]:
        """The queues to take from, each with its tier."""
        return [(f"{self.exchange}.work.{self._key(shard, tier)}", tier) for tier in PRIORITIES for shard in self._all]

    @property
    def delays(self) -> list[str]:
        """The exchanges, and queues of the same names, in which messages wait for their next attempt."""
        return list(self._waits())

    def key(self, lane: str, tier: Priority) -> str:
        """The routing key of a lane's messages: always the same."""
        return self._key(crc32(lane.encode()) % self.shards, tier)

    def delay(self, attempt: int) -> str:
        """The exchange behind which a message waits after so many failures, 1 or more."""
        step = self._delays_ms[min(attempt, len(self._delays_ms)) - 1]
        return self._delay(random.choice(step))  # noqa: S311 - jitter

    async def declare(self, connection: AbstractConnection) -> None:
        """Make what is missing. Raises TopologyMismatch for what is there and different."""
        async with connection.channel() as channel:
            try:
                await self._declare(channel)
            except ChannelPreconditionFailed as error:
                raise TopologyMismatch(
                    f"the broker has a queue or exchange {self.exchange}.* that was declared in another way "
                    f"({error}); drain and delete it, or choose another name"
                ) from error

    async def _declare(self, channel: AbstractChannel) -> None:
        await channel.declare_exchange(self.exchange, "direct", durable=True, timeout=DECLARE_S)
        await self.declare_queue(channel, self.dead, self.exchange, _DEAD)
        await self.declare_queue(channel, self.takers, self.exchange, _TAKERS)
        for shard in self._all:
            for tier in PRIORITIES:
                key = self._key(shard, tier)
                await self.declare_queue(
                    channel,
                    f"{self.exchange}.work.{key}",
                    self.exchange,
                    key,
                    **{
                        "x-single-active-consumer": True,
                        "x-dead-letter-exchange": self.exchange,
                        "x-dead-letter-routing-key": _DEAD,
                    },
                )
        for name, delay_ms in self._waits().items():
            await channel.declare_exchange(name, "fanout", durable=True, timeout=DECLARE_S)
            arguments = {"x-message-ttl": delay_ms, "x-dead-letter-exchange": self.exchange}
            await self.declare_queue(channel, name, name, "", **arguments)

    async def declare_queue(
        self, channel: AbstractChannel, name: str, exchange: str, key: str, **arguments: Any
    ) -> None:
        given: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-delivery-limit": _NEVER_DROPPED,
            "x-overflow": "reject-publish",
        }
        if "x-dead-letter-exchange" in arguments:
            given["x-dead-letter-strategy"] = "at-least-once"
        queue = await channel.declare_queue(name, durable=True, arguments=given | arguments, timeout=DECLARE_S)
        await queue.bind(exchange, key, timeout=DECLARE_S)

    def _waits(self) -> dict[str, int]:
        return {self._delay(delay_ms): delay_ms for step in self._delays_ms for delay_ms in step}

    @property
    def _all(self) -> range:
        return range(self.shards)

    @staticmethod
    def _key(shard: int, tier: Priority) -> str:
        return f"{shard}.{tier}"

    def _delay(self, delay_ms: int) -> str:
        return f"{self.exchange}.delay.{delay_ms}"
