"""The feed through the ends of its servers; what it promises is in tests/ports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.typing import EventDict

from harness.servers.processes import frozen
from harness.servers.redis import Cluster, Sentinels, Server, started
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.redis import feed as feed_module
from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import FAILURES, Client, connect
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.domain.submission import TableKey

pytestmark = pytest.mark.slow

TABLE, OTHER = TableKey(1, "all", ""), TableKey(2, "all", "eu")


@asynccontextmanager
async def listening(client: Client, heard: list[TableKey]) -> AsyncIterator[RedisFeed]:
    """A feed that runs and has told once of its table, which it watches."""
    feed = RedisFeed(client)
    feed.listen(heard.append)
    feed.watch([TABLE])
    running = asyncio.create_task(feed.run())
    try:
        await eventually(lambda: heard, "it has subscribed")
        yield feed
    finally:
        running.cancel()
        await asyncio.wait((running,))
        assert running.cancelled()


async def is_told(client: Client, heard: list[TableKey], table: TableKey = TABLE) -> None:
    async def told() -> bool:
        try:
            await client.execute_command("PUBLISH", keys.changed(table), "")
        except FAILURES:
            return False
        return table in heard

    heard.clear()
    await eventually(told, "a change was told")


async def test_a_server_that_ends_and_comes_back_is_said_once_each(server: Server, logged: list[EventDict]) -> None:
    heard: list[TableKey] = []
    async with connect(server.url) as client, listening(client, heard) as feed:
        server.kill()
        await eventually(lambda: feed.failures > 2, "it tries again")
        heard.clear()
        feed.watch([TABLE, OTHER])
        server.start()
        await eventually(lambda: {TABLE, OTHER} <= set(heard), "something may have been missed")
        await is_told(client, heard)
        await is_told(client, heard, OTHER)
    assert [entry["event"] for entry in logged] == ["feed_lost", "feed_back"]


async def test_a_server_that_hangs_is_left(
    server: Server, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(feed_module, "QUIET_S", 0.05)
    monkeypatch.setattr(feed_module, "CALL_S", 0.2)
    heard: list[TableKey] = []
    async with connect(server.url) as client, listening(client, heard):
        with frozen(server.pid):
            await eventually(lambda: logged, "it was noticed")
        heard.clear()
        await eventually(lambda: heard, "it is back")
        await is_told(client, heard)


async def test_a_quiet_connection_stays(
    server: Server, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(feed_module, "QUIET_S", 0.01)
    async with connect(server.url) as client, listening(client, []):
        pings = server.ask("INFO", "commandstats")["cmdstat_ping"]["calls"]

        def tried() -> bool:
            return bool(server.ask("INFO", "commandstats")["cmdstat_ping"]["calls"] > pings + 5)

        await eventually(tried, "it is tried again and again")
        assert server.ask("PUBSUB", "NUMSUB", keys.changed(TABLE)) == [keys.changed(TABLE), 1]
    assert not logged


async def test_nothing_is_left_subscribed_in_the_end(server: Server) -> None:
    async with connect(server.url) as client:
        async with listening(client, []):
            assert server.ask("PUBSUB", "CHANNELS") == [keys.changed(TABLE)]
        await eventually(lambda: server.ask("PUBSUB", "CHANNELS") == [], "the connection ended")


async def test_it_ends_when_it_is_told_to_at_any_moment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to Python 3.11 a cancellation that meets the end of a write is lost by redis-py."""
    monkeypatch.setattr(feed_module, "QUIET_S", 0.0)
    async with connect(server.url) as client:
        for turns in range(60):
            feed = RedisFeed(client)
            feed.watch([TABLE])
            running = asyncio.create_task(feed.run())
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            done, _ = await asyncio.wait((running,), timeout=BOUND_S)
            assert done, f"it goes on, {turns} turns of the event loop after its start"


@pytest.mark.slow
@pytest.mark.parametrize("make", [Cluster, Sentinels])
async def test_a_failover_is_survived(tmp_path: Path, make: Callable[[Path], Cluster | Sentinels]) -> None:
    heard: list[TableKey] = []
    with started(make(tmp_path)) as servers:
        async with connect(servers.url) as client, listening(client, heard):
            await is_told(client, heard)
            (servers.master(keys.of(TABLE)) if isinstance(servers, Cluster) else servers.master()).kill()
            await is_told(client, heard)


@pytest.mark.slow
async def test_every_node_of_a_cluster_passes_words_on(tmp_path: Path) -> None:
    heard: list[TableKey] = []
    with started(Cluster(tmp_path, silent_ms=round(BOUND_S * 1_000))) as cluster:
        async with connect(cluster.url) as client, listening(client, heard):
            for server in cluster.servers:
                before = len(heard)
                server.ask("PUBLISH", keys.changed(TABLE), "")
                await eventually(lambda before=before: len(heard) > before, "it was passed on")  # type: ignore[misc]
