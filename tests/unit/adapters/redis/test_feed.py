"""The feed during failures; tests/ports has the common tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.typing import EventDict

from harness.servers.processes import frozen
from harness.servers.redis import TIMEOUTS, Cluster, Sentinels, Server, started
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import FAILURES, Client, connect
from scoreboard.adapters.redis.feed import IDLE_S, RedisFeed
from scoreboard.adapters.redis.timeouts import RedisTimeouts
from scoreboard.domain.submission import TableKey

pytestmark = pytest.mark.slow

TABLE, OTHER = TableKey(1, "all", ""), TableKey(2, "all", "eu")


@asynccontextmanager
async def listening(
    client: Client, received: list[TableKey], timeouts: RedisTimeouts = TIMEOUTS, idle_s: float = IDLE_S
) -> AsyncIterator[RedisFeed]:
    """Run a feed that watches a table, and wait for its first notification."""
    feed = RedisFeed(client, timeouts, idle_s)
    feed.listen(received.append)
    feed.watch([TABLE])
    running = asyncio.create_task(feed.run())
    try:
        await eventually(lambda: received, "the feed has subscribed")
        yield feed
    finally:
        running.cancel()
        await asyncio.wait((running,))
        assert running.cancelled()


async def check_notifies(client: Client, received: list[TableKey], table: TableKey = TABLE) -> None:
    async def notified() -> bool:
        try:
            await client.execute_command("PUBLISH", keys.changed(table), "")
        except FAILURES:
            return False
        return table in received

    received.clear()
    await eventually(notified, "a change was published")


async def test_the_loss_and_the_return_of_a_server_are_logged_once_each(
    server: Server, logged: list[EventDict]
) -> None:
    received: list[TableKey] = []
    async with connect(server.url, TIMEOUTS) as client, listening(client, received) as feed:
        server.kill()
        await eventually(lambda: feed.failures > 2, "the feed has retried")
        received.clear()
        feed.watch([TABLE, OTHER])
        server.start()
        await eventually(lambda: {TABLE, OTHER} <= set(received), "messages may have been missed")
        await check_notifies(client, received)
        await check_notifies(client, received, OTHER)
    assert [entry["event"] for entry in logged] == ["feed_lost", "feed_restored"]


async def test_a_frozen_server_is_noticed(server: Server, logged: list[EventDict]) -> None:
    received: list[TableKey] = []
    short = RedisTimeouts(call_s=0.2)
    async with connect(server.url, TIMEOUTS) as client, listening(client, received, short, idle_s=0.05):
        with frozen(server.pid):
            await eventually(lambda: logged, "the feed has noticed it")
        received.clear()
        await eventually(lambda: received, "the feed is back")
        await check_notifies(client, received)


async def test_an_idle_connection_is_tested_and_stays_open(server: Server, logged: list[EventDict]) -> None:
    async with connect(server.url, TIMEOUTS) as client, listening(client, [], idle_s=0.01):
        pings = server.ask("INFO", "commandstats")["cmdstat_ping"]["calls"]

        def tested() -> bool:
            return bool(server.ask("INFO", "commandstats")["cmdstat_ping"]["calls"] > pings + 5)

        await eventually(tested, "the connection is tested repeatedly")
        assert server.ask("PUBSUB", "NUMSUB", keys.changed(TABLE)) == [keys.changed(TABLE), 1]
    assert not logged


async def test_a_cancelled_feed_leaves_no_subscription(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        async with listening(client, []):
            assert server.ask("PUBSUB", "CHANNELS") == [keys.changed(TABLE)]
        await eventually(lambda: server.ask("PUBSUB", "CHANNELS") == [], "the connection ended")


async def test_a_feed_can_be_cancelled_at_any_moment(server: Server) -> None:
    """Up to Python 3.11, redis-py loses a cancellation at the end of a write."""
    async with connect(server.url, TIMEOUTS) as client:
        for turns in range(60):
            feed = RedisFeed(client, TIMEOUTS, idle_s=0.0)
            feed.watch([TABLE])
            running = asyncio.create_task(feed.run())
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            done, _ = await asyncio.wait((running,), timeout=BOUND_S)
            assert done, f"cancelled after {turns} turns of the event loop, the feed still runs"


@pytest.mark.slow
@pytest.mark.parametrize("make", [Cluster, Sentinels])
async def test_a_feed_follows_a_failover(tmp_path: Path, make: Callable[[Path], Cluster | Sentinels]) -> None:
    received: list[TableKey] = []
    with started(make(tmp_path)) as servers:
        async with connect(servers.url, TIMEOUTS) as client, listening(client, received):
            await check_notifies(client, received)
            (servers.master(keys.of(TABLE)) if isinstance(servers, Cluster) else servers.master()).kill()
            await check_notifies(client, received)


@pytest.mark.slow
async def test_every_node_of_a_cluster_forwards_messages(tmp_path: Path) -> None:
    received: list[TableKey] = []
    with started(Cluster(tmp_path, silent_ms=round(BOUND_S * 1_000))) as cluster:
        async with connect(cluster.url, TIMEOUTS) as client, listening(client, received):
            for server in cluster.servers:
                before = len(received)
                server.ask("PUBLISH", keys.changed(TABLE), "")
                await eventually(lambda before=before: len(received) > before, "the message was forwarded")  # type: ignore[misc]  # bound
