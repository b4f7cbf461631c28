"""Rate limits in Redis; tests/ports has the common tests."""

import asyncio

import pytest

from harness.servers.processes import frozen
from harness.servers.redis import TIMEOUTS, Server
from harness.waiting import eventually
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.rate_limiter import REQUESTS_A_CALL, RedisRateLimiter
from scoreboard.adapters.redis.timeouts import RedisTimeouts
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.domain.errors import Unavailable
from tests.making import ManualClock

pytestmark = pytest.mark.slow


def limiter(client: Client, clock: Clock | None = None) -> RedisRateLimiter:
    return RedisRateLimiter(client, clock, TIMEOUTS)


async def acquire(limits: RedisRateLimiter, key: str = "ann") -> RateLimitStatus:
    return await limits.acquire(key, 10, 60.0)


async def unavailable(limits: RedisRateLimiter) -> bool:
    try:
        await acquire(limits)
    except Unavailable as error:
        return error.code == "limits_unavailable"
    return False


async def test_processes_share_a_limit_measured_by_the_servers_clock(client: Client, redis_url: str) -> None:
    async with connect(redis_url, TIMEOUTS) as another:
        processes = [limiter(client), limiter(another)]
        taken = [await acquire(processes[n % 2]) for n in range(10)]
        assert [one.remaining for one in taken] == list(range(10))[::-1]
        assert all([(await acquire(one)).retry_after_s > 0 for one in processes])


async def test_concurrent_requests_share_few_calls(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        limits = limiter(client)
        await asyncio.gather(*(acquire(limits, str(n)) for n in range(5 * REQUESTS_A_CALL)))
    calls = server.ask("INFO", "commandstats")
    assert calls["cmdstat_evalsha"]["calls"] + calls["cmdstat_eval"]["calls"] <= 7


async def test_requests_that_share_a_call_are_served_in_their_order(client: Client) -> None:
    limits = limiter(client, ManualClock())
    requests = [("ann", 6), ("bob", 10), ("ann", 5), ("ann", 4), ("bob", 1), ("ann", 1)]
    found = await asyncio.gather(*(limits.acquire(key, 10, 60.0, cost) for key, cost in requests))
    assert [(one.remaining, one.retry_after_s > 0) for one in found] == [
        (4, False),
        (0, False),
        (4, True),
        (0, False),
        (0, True),
        (0, True),
    ]


async def test_concurrent_requests_of_one_caller_read_one_key_once(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        limits = limiter(client)
        found = await asyncio.gather(*(limits.acquire("ann", 100, 60.0) for _ in range(100)))
    assert [one.remaining for one in found] == list(range(100))[::-1]
    assert server.ask("INFO", "commandstats")["cmdstat_get"]["calls"] == 1


async def test_the_debt_stays_exact_where_lua_would_round_the_text_of_a_number(client: Client) -> None:
    clock = ManualClock()
    limits = limiter(client, clock)
    for _ in range(1_000):
        clock.now += 1
        assert (await limits.acquire("ann", 1_000_000, 60.0, 997)).retry_after_s == 0
    (key,) = await client.keys("*")
    assert await client.get(key) == f"{clock.now} {60_000_000 * 997 * 1_000 - 1_000_000 * 999}".encode()


async def test_keys_expire_when_the_limit_is_restored(client: Client) -> None:
    await acquire(limiter(client))
    (key,) = await client.keys("*")
    assert 6_000 < await client.pttl(key) <= 6_000 + 60_000


async def test_refusals_take_no_memory(client: Client) -> None:
    limits = limiter(client)
    assert (await limits.acquire("ann", 10, 60.0, cost=11)).retry_after_s > 0
    assert await client.dbsize() == 0


async def test_a_clock_set_back_blocks_no_caller(client: Client) -> None:
    clock = ManualClock()
    limits = limiter(client, clock)
    await limits.acquire("ann", 10, 60.0, cost=10)
    clock.now -= 3_600_000_000
    refused = await acquire(limits)
    clock.now += round(refused.retry_after_s * 1e6)
    assert (await acquire(limits)).retry_after_s == 0


async def test_a_cancelled_caller_does_not_affect_the_others(client: Client) -> None:
    limits = limiter(client)
    first, second = asyncio.create_task(acquire(limits)), asyncio.create_task(acquire(limits))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).retry_after_s == 0


async def test_any_text_is_a_key(client: Client) -> None:
    assert (await acquire(limiter(client), "\ud800 {}")).remaining == 9


async def test_limits_are_unavailable_while_the_server_is_down(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        limits = limiter(client)
        await acquire(limits)
        server.kill()
        found = await asyncio.gather(*(unavailable(limits) for _ in range(100)))
        assert all(found)
        server.start()

        async def back() -> bool:
            return not await unavailable(limits)

        await eventually(back, "the limits are available again")


async def test_a_frozen_server_makes_limits_unavailable_and_gets_only_one_call(server: Server) -> None:
    async with connect(server.url, TIMEOUTS) as client:
        limits = RedisRateLimiter(client, timeouts=RedisTimeouts(rate_limit_s=0.1), pause_s=0.0)

        async def available() -> bool:
            return not await unavailable(limits)

        await eventually(available, "the limits are available")
        with frozen(server.pid):
            assert await unavailable(limits)
            begun = asyncio.all_tasks()
            assert all(await asyncio.gather(*(unavailable(limits) for _ in range(100))))
            assert asyncio.all_tasks() <= begun
        await eventually(available, "the limits are available again")
