"""What is Redis' own about the limits; what they promise is in tests/ports."""

import asyncio

import pytest

from harness.servers.processes import frozen
from harness.servers.redis import Server
from harness.waiting import eventually
from scoreboard.adapters.redis import rate_limiter as limits_module
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.rate_limiter import RedisRateLimiter
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.domain.errors import Unavailable
from tests.making import ManualClock

pytestmark = pytest.mark.slow


async def take(limits: RedisRateLimiter, key: str = "ann") -> RateLimitStatus:
    return await limits.acquire(key, 10, 60.0)


async def unavailable(limits: RedisRateLimiter) -> bool:
    try:
        await take(limits)
    except Unavailable as error:
        return error.code == "limits_unavailable"
    return False


async def test_processes_share_a_limit_by_the_servers_clock(client: Client, redis_url: str) -> None:
    async with connect(redis_url) as another:
        processes = [RedisRateLimiter(client), RedisRateLimiter(another)]
        taken = [await take(processes[n % 2]) for n in range(10)]
        assert [one.remaining for one in taken] == list(range(10))[::-1]
        assert all([(await take(one)).retry_after_s > 0 for one in processes])


async def test_what_is_asked_at_once_shares_few_calls(server: Server) -> None:
    async with connect(server.url) as client:
        limits = RedisRateLimiter(client)
        await asyncio.gather(*(take(limits, str(n)) for n in range(5 * limits_module.TAKINGS_A_CALL)))
    calls = server.ask("INFO", "commandstats")
    assert calls["cmdstat_evalsha"]["calls"] + calls["cmdstat_eval"]["calls"] <= 7


async def test_callers_that_share_a_call_take_in_the_order_they_asked(client: Client) -> None:
    limits = RedisRateLimiter(client, ManualClock())
    asked = [("ann", 6), ("bob", 10), ("ann", 5), ("ann", 4), ("bob", 1), ("ann", 1)]
    told = await asyncio.gather(*(limits.acquire(key, 10, 60.0, cost) for key, cost in asked))
    assert [(one.remaining, one.retry_after_s > 0) for one in told] == [
        (4, False),
        (0, False),
        (4, True),
        (0, False),
        (0, True),
        (0, True),
    ]


async def test_what_a_caller_asks_at_once_is_looked_up_once(server: Server) -> None:
    async with connect(server.url) as client:
        limits = RedisRateLimiter(client)
        told = await asyncio.gather(*(limits.acquire("ann", 100, 60.0) for _ in range(100)))
    assert [one.remaining for one in told] == list(range(100))[::-1]
    assert server.ask("INFO", "commandstats")["cmdstat_get"]["calls"] == 1


async def test_what_is_owed_stays_exact_where_text_of_a_number_would_not_be(client: Client) -> None:
    clock = ManualClock()
    limits = RedisRateLimiter(client, clock)
    for _ in range(1_000):
        clock.now += 1
        assert (await limits.acquire("ann", 1_000_000, 60.0, 997)).retry_after_s == 0
    (key,) = await client.keys("*")
    assert await client.get(key) == f"{clock.now} {60_000_000 * 997 * 1_000 - 1_000_000 * 999}".encode()


async def test_keys_expire_once_everything_is_back(client: Client) -> None:
    await take(RedisRateLimiter(client))
    (key,) = await client.keys("*")
    assert 6_000 < await client.pttl(key) <= 6_000 + 60_000


async def test_refusals_take_no_memory(client: Client) -> None:
    limits = RedisRateLimiter(client)
    assert (await limits.acquire("ann", 10, 60.0, cost=11)).retry_after_s > 0
    assert await client.dbsize() == 0


async def test_a_clock_that_goes_back_starves_nobody(client: Client) -> None:
    clock = ManualClock()
    limits = RedisRateLimiter(client, clock)
    await limits.acquire("ann", 10, 60.0, cost=10)
    clock.now -= 3_600_000_000
    refused = await take(limits)
    clock.now += round(refused.retry_after_s * 1e6)
    assert (await take(limits)).retry_after_s == 0


async def test_a_caller_that_gives_up_does_not_harm_its_neighbours(client: Client) -> None:
    limits = RedisRateLimiter(client)
    first, second = asyncio.create_task(take(limits)), asyncio.create_task(take(limits))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).retry_after_s == 0


async def test_any_text_is_a_key(client: Client) -> None:
    assert (await take(RedisRateLimiter(client), "\ud800 {}")).remaining == 9


async def test_a_server_that_is_killed_makes_them_unavailable_until_it_is_back(server: Server) -> None:
    async with connect(server.url) as client:
        limits = RedisRateLimiter(client)
        await take(limits)
        server.kill()
        told = await asyncio.gather(*(unavailable(limits) for _ in range(100)))
        assert all(told)
        server.start()

        async def back() -> bool:
            return not await unavailable(limits)

        await eventually(back, "they are counted again")


async def test_a_server_that_hangs_makes_them_unavailable_and_is_asked_by_one_only(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "PAUSE_S", 0.0)
    async with connect(server.url) as client:
        limits = RedisRateLimiter(client)
        await take(limits)
        with frozen(server.pid), monkeypatch.context() as impatient:
            impatient.setattr(limits_module, "ANSWER_S", 0.1)
            assert await unavailable(limits)
            begun = asyncio.all_tasks()
            assert all(await asyncio.gather(*(unavailable(limits) for _ in range(100))))
            assert asyncio.all_tasks() <= begun

        async def back() -> bool:
            return not await unavailable(limits)

        await eventually(back, "they are counted again")
