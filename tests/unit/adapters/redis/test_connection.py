"""URLs, and clients of real servers that fail."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

from harness.servers.redis import TIMEOUTS, Cluster, Sentinels, Server, started
from harness.waiting import eventually
from scoreboard.adapters.redis.connection import CONNECTIONS, FAILURES, Address, Client, connect


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "options"),
    [
        ("redis://one", "", (("one", 6_379),), {"host": "one"}),
        (
            "redis://:p%40ss@one:7000/3",
            "",
            (("one", 7_000),),
            {"host": "one", "port": 7_000, "db": 3, "password": "p@ss"},
        ),
        (
            "rediss://me:pass@[::1]:7000?ssl_ca_certs=ca.pem",
            "",
            (("::1", 7_000),),
            {
                "host": "::1",
                "port": 7_000,
                "username": "me",
                "password": "pass",
                "connection_class": SSLConnection,
                "ssl_ca_certs": "ca.pem",
            },
        ),
        (
            "unix:///run/redis.sock",
            "unix",
            (),
            {"path": "/run/redis.sock", "connection_class": UnixDomainSocketConnection},
        ),
        ("redis+sentinel://a,b:7000/s/2", "sentinel", (("a", 26_379), ("b", 7_000)), {"host": "a", "db": 2}),
        (
            "rediss+cluster://:pass@a:1,b",
            "cluster",
            (("a", 1), ("b", 6_379)),
            {"host": "a", "port": 1, "password": "pass", "connection_class": SSLConnection},
        ),
    ],
)
def test_a_url_is_parsed(url: str, kind: str, hosts: tuple[tuple[str, int], ...], options: dict[str, Any]) -> None:
    address = Address.parse(url)
    assert (address.kind, address.hosts) == (kind, hosts)
    assert parse_url(address.url) == options
    tls = {"ssl": True, **{name: value for name, value in options.items() if name.startswith("ssl_")}}
    assert address.tls == (tls if url.startswith("rediss") else {})
    assert address.service == ("s" if kind == "sentinel" else "")
    assert "pass" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "one",
        "http://:s3cret@one",
        "redis://",
        "redis://:s3cret@",
        "redis://:s3c/ret@one",
        "redis://:s3cret@one:70000",
        "redis://:s3cret@one:0",
        "redis://:s3cret@one:port",
        "redis://:s3cret@[one",
        "redis://:s3cret\u2100@one",
        "redis://:s3cret@one,two",
        "redis://:s3cret@one/zero",
        "redis://:s3cret@one?socket_timeout=60",
        "redis://:s3cret@one?ssl_ca_certs=ca.pem",
        "redis+sentinel://:s3cret@one:26379",
        "redis+cluster://:s3cret@one:6379/1",
    ],
)
def test_the_error_for_a_malformed_url_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as refused:
        Address.parse(url)
    assert "s3c" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


async def test_a_client_connects_at_its_first_call() -> None:
    async with connect("redis://127.0.0.1:1"):
        pass


async def test_answers_are_bytes(client: Client) -> None:
    await client.set("key", "value")
    assert await client.get("key") == b"value"


async def test_many_concurrent_calls_share_few_connections(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        await asyncio.gather(*(client.incr("n") for _ in range(1_000)))
        assert await client.get("n") == b"1000"
        assert len(await client.client_list()) <= CONNECTIONS


async def test_a_client_reconnects_after_its_server_was_killed(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        await client.set("key", "value")
        server.kill()
        for _ in range(3):
            with pytest.raises(FAILURES):
                await client.get("key")
        server.start()
        assert await client.get("key") is None


async def test_errors_logs_and_descriptions_do_not_contain_the_password(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url.replace("//", "//:s3cret@")
    described = []
    for wrong in (url, url.replace("redis:", "redis+sentinel:") + "/s", url.replace("redis:", "redis+cluster:")):
        async with connect(wrong, TIMEOUTS) as client:
            with pytest.raises(FAILURES) as refused:
                await client.get("key")
            described += [repr(client), repr(refused.value), str(refused.value)]
    assert "s3cret" not in "".join(described) + caplog.text


async def test_the_right_password_is_accepted(server: Server) -> None:
    server.ask("CONFIG", "SET", "requirepass", "s3/cret")
    async with connect(server.url.replace("//", "//:s3%2Fcret@"), TIMEOUTS) as client:
        assert await client.ping()


@pytest.mark.slow
@pytest.mark.parametrize("make", [Cluster, Sentinels])
async def test_a_client_follows_a_failover(tmp_path: Path, make: Callable[[Path], Cluster | Sentinels]) -> None:
    with started(make(tmp_path)) as servers:
        async with connect(servers.url, TIMEOUTS) as client:
            await client.set("{t}:key", "value")
            (servers.master("{t}:key") if isinstance(servers, Cluster) else servers.master()).kill()
            with pytest.raises(FAILURES):
                await client.get("{t}:key")

            async def answers() -> bool:
                try:
                    return await client.get("{t}:key") == b"value"
                except FAILURES:
                    return False

            await eventually(answers, "the replica took over")
