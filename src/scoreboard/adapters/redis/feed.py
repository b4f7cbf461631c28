"""RedisFeed: notifications of changed tables by Pub/Sub, one channel per table."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, TypeAlias

import structlog
from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import FAILURES, Client, cancellable
from scoreboard.adapters.redis.timeouts import TIMEOUTS, RedisTimeouts
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

Listener: TypeAlias = Callable[[TableKey], None]

CHANNELS_A_COMMAND = 500
IDLE_S = 5.0  # without a message, after which the connection is tested
RECONNECT = Backoff(first_s=0.1, longest_s=5.0)


class RedisFeed:
    """Subscriptions to the watched tables, on one connection.

    Listeners are also called when a subscription starts or restarts, because a message may have been missed before.

    In a Cluster the connection goes to any node, since each node forwards every message. If that node is cut off from
    the other nodes, but not from this process, no messages arrive until that ends.
    """

    def __init__(self, client: Client, timeouts: RedisTimeouts = TIMEOUTS, idle_s: float = IDLE_S) -> None:
        self._client = client
        self._timeouts = timeouts
        self._idle_s = idle_s
        self._listeners: list[Listener] = []
        self._watched: frozenset[TableKey] = frozenset()
        self._watched_changed = asyncio.Event()
        self.failures = 0  # in a row

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def watch(self, keys: Collection[TableKey]) -> None:
        self._watched = frozenset(keys)
        self._watched_changed.set()

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
            self.failures += 1
            await asyncio.sleep(RECONNECT.pause_s(self.failures))

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator[PubSub]:
        node: dict[str, Any] = {}
        if isinstance(self._client, RedisCluster):
            await cancellable(self._client.initialize())
            node = {"node": self._client.get_random_node()}
        async with self._client.pubsub(**node) as subscription:
            await cancellable(subscription.connect())
            yield subscription

    async def _subscribe(self, subscription: PubSub) -> None:
        """Keep the subscribed channels equal to the watched tables."""
        subscribed: frozenset[TableKey] = frozenset()
        while True:
            watched = self._watched
            for tables, command in (
                (watched - subscribed, subscription.subscribe),
                (subscribed - watched, subscription.unsubscribe),
            ):
                channels = map(keys.changed, tables)
                while some := list(islice(channels, CHANNELS_A_COMMAND)):
                    await cancellable(command(*some))
            subscribed = watched
            await self._watched_changed.wait()
            self._watched_changed.clear()

    async def _read(self, subscription: PubSub) -> None:
        while True:
            message = await cancellable(subscription.get_message(timeout=self._idle_s))
            if message is None:
                await cancellable(subscription.ping())
                message = await cancellable(subscription.get_message(timeout=self._timeouts.call_s))
            if message is None:
                raise RedisConnectionError("the server does not answer")
            if self.failures:
                self.failures = 0
                log.info("feed_restored")
            if message["type"] in {"message", "subscribe"}:
                self.notify(keys.table_of(message["channel"].decode()))

    def notify(self, table: TableKey | None) -> None:
        if table in self._watched:
            for listener in self._listeners:
                listener(table)
