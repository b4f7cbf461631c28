"""RedisFeed: word of changed tables by Pub/Sub, one channel a table."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import TypeAlias

import structlog
from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import CALL_S, FAILURES, Client, cancellable
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

Heard: TypeAlias = Callable[[TableKey], None]

CHANNELS_A_COMMAND = 500
QUIET_S = 5.0  # after which the connection is tried
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0  # before it connects again


class RedisFeed:
    """A table is told of, too, when its subscription begins or begins again: before that, a word may have been missed.

    One connection for all tables. In a Cluster it goes to any of the nodes, since each passes every word on; one that
    is cut off from the others but not from here says nothing, for as long as that lasts.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard: list[Heard] = []
        self._watched: frozenset[TableKey] = frozenset()
        self._watched_anew = asyncio.Event()
        self.failures = 0  # one after another

    def listen(self, heard: Heard) -> None:
        self._heard.append(heard)

    def watch(self, keys: Collection[TableKey]) -> None:
        self._watched = frozenset(keys)
        self._watched_anew.set()

    async def run(self) -> None:
        while True:
            try:
                async with self._subscription() as subscription, asyncio.TaskGroup() as group:
                    group.create_task(self._read(subscription))
                    group.create_task(self._subscribe(subscription))
            except* FAILURES as errors:
                if not self.failures:
                    log.warning("feed_lost", reason=str(errors.exceptions[0]))
            except* Exception:
                log.exception("feed_failed")
            await asyncio.sleep(self._wait_s())

    def _wait_s(self) -> float:
        """How long to wait before connecting again; longer with each failure."""
        longest = min(FIRST_WAIT_S * 2 ** min(self.failures, 10), LONGEST_WAIT_S)
        self.failures += 1
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads those who come back

    def _works(self) -> None:
        if self.failures:
            self.failures = 0
            log.info("feed_back")

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[PubSub]:
        async with await self._pubsub() as subscription:
            await cancellable(subscription.connect())
            yield subscription

    async def _pubsub(self) -> PubSub:
        if isinstance(self._client, RedisCluster):
            await cancellable(self._client.initialize())
            return self._client.pubsub(node=self._client.get_random_node())
        return self._client.pubsub()

    async def _subscribe(self, subscription: PubSub) -> None:
        """Keep what is subscribed to the same as what is watched."""
        subscribed: frozenset[TableKey] = frozenset()
        while True:
            watched = self._watched
            for channels in _commands(watched - subscribed):
                await cancellable(subscription.subscribe(*channels))
            for channels in _commands(subscribed - watched):
                await cancellable(subscription.unsubscribe(*channels))
            subscribed = watched
            await self._watched_anew.wait()
            self._watched_anew.clear()

    async def _read(self, subscription: PubSub) -> None:
        while True:
            message = await cancellable(subscription.get_message(timeout=QUIET_S))
            if message is None:
                await cancellable(subscription.ping())
                message = await cancellable(subscription.get_message(timeout=CALL_S))
            if message is None:
                raise RedisConnectionError("it does not answer")
            self._works()
            if message["type"] in {"message", "subscribe"}:
                self.notify(keys.table_of(message["channel"].decode()))

    def notify(self, table: TableKey | None) -> None:
        if table in self._watched:
            for heard in self._heard:
                heard(table)


def _commands(tables: Collection[TableKey]) -> Sequence[Sequence[str]]:
    """The channels of the tables, as many at a time as go into one command."""
    channels = map(keys.changed, tables)
    return list(iter(lambda: list(islice(channels, CHANNELS_A_COMMAND)), []))
