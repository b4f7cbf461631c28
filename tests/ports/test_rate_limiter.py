import asyncio

import pytest

from scoreboard.application.ports.rate_limiter import RateLimitStatus
from tests.ports.backends import LimitsBackend


async def acquire(limited: LimitsBackend, cost: int = 1, key: str = "ann") -> RateLimitStatus:
    return await limited.limits.acquire(key, 10, 5.0, cost)


@pytest.mark.parametrize(("limit", "period_s"), [(1, 1.0), (7, 60.0), (120, 60.0), (50_000, 1.0), (3, 0.1)])
@pytest.mark.parametrize("uptime_s", [0.0, 1e5, 1e7])
async def test_a_burst_of_exactly_the_limit_is_allowed(
    limited: LimitsBackend, limit: int, period_s: float, uptime_s: float
) -> None:
    limited.pass_time(uptime_s)
    statuses = await asyncio.gather(*(limited.limits.acquire("ann", limit, period_s) for _ in range(limit)))
    assert [one.retry_after_s for one in statuses] == [0.0] * limit
    assert [one.remaining for one in statuses] == list(range(limit))[::-1]
    assert (await limited.limits.acquire("ann", limit, period_s)).retry_after_s > 0


async def test_each_part_of_the_period_restores_its_share(limited: LimitsBackend) -> None:
    await acquire(limited, cost=10)
    for _ in range(30):
        limited.pass_time(0.5)
        assert (await acquire(limited)).retry_after_s == 0
        assert (await acquire(limited)).retry_after_s > 0


async def test_the_same_is_allowed_after_the_returned_wait(limited: LimitsBackend) -> None:
    for cost in (10, 3, 10, 1, 7):
        await acquire(limited, cost=10)
        refused = await acquire(limited, cost)
        limited.pass_time(refused.retry_after_s)
        assert (await acquire(limited, cost)).retry_after_s == 0


async def test_a_refusal_costs_nothing(limited: LimitsBackend) -> None:
    await acquire(limited, cost=6)
    for _ in range(100):
        refused = await acquire(limited, cost=5)
        assert refused.retry_after_s > 0
        assert refused.remaining == 4
    assert (await acquire(limited, cost=4)).retry_after_s == 0


async def test_a_pause_restores_at_most_the_limit(limited: LimitsBackend) -> None:
    await acquire(limited)
    limited.pass_time(1_000.0)
    assert (await acquire(limited, cost=10)).remaining == 0
    assert (await acquire(limited)).retry_after_s > 0


async def test_the_whole_limit_is_available_after_the_reset(limited: LimitsBackend) -> None:
    status = await acquire(limited, cost=4)
    assert (status.limit, status.remaining) == (10, 6)
    limited.pass_time(status.reset_s)
    assert (await acquire(limited, cost=10)).retry_after_s == 0


async def test_keys_have_separate_limits(limited: LimitsBackend) -> None:
    await acquire(limited, cost=10)
    assert (await acquire(limited, cost=10, key="bob")).retry_after_s == 0


@pytest.mark.parametrize(("before", "after"), [(10, 20), (20, 10)])
async def test_a_changed_limit_holds_after_a_pause(limited: LimitsBackend, before: int, after: int) -> None:
    await limited.limits.acquire("ann", before, 5.0, before)
    limited.pass_time(5.0)
    assert (await limited.limits.acquire("ann", after, 5.0, after)).retry_after_s == 0
    assert (await limited.limits.acquire("ann", after, 5.0)).retry_after_s > 0
