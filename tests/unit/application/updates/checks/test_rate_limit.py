import pytest

from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.application.updates.checks.rate_limit import UpdateRateLimit
from scoreboard.domain.errors import TooManyRequests


class ManualTimer:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> ManualTimer:
    return ManualTimer()


@pytest.fixture
def limits(time: ManualTimer) -> UpdateRateLimit:
    return UpdateRateLimit(MemoryRateLimiter(time), player_per_minute=3, server_per_second=5)


async def acquire_one(limits: UpdateRateLimit, role: Role = "player", app: str = "game", subject: str = "ann") -> float:
    """Take one update; return the wait of a refusal, or 0."""
    try:
        await limits.acquire(principal_of(role, app, subject), app, 1)
    except TooManyRequests as error:
        return error.retry_after_s or 0.0
    return 0.0


@pytest.mark.parametrize(("role", "limit", "period_s"), [("player", 3, 60.0), ("server", 5, 1.0), ("admin", 5, 1.0)])
async def test_each_role_has_its_limit(
    limits: UpdateRateLimit, time: ManualTimer, role: Role, limit: int, period_s: float
) -> None:
    assert [await acquire_one(limits, role) for _ in range(limit)] == [0.0] * limit
    wait_s = await acquire_one(limits, role)
    assert wait_s == pytest.approx(period_s / limit)
    time.now += wait_s
    assert await acquire_one(limits, role) == 0.0


async def test_the_remaining_updates_are_returned(limits: UpdateRateLimit) -> None:
    status = await limits.acquire(principal_of("player", "game", "ann"), "game", 1)
    assert (status.limit, status.remaining) == (3, 2)


async def test_callers_have_separate_limits(limits: UpdateRateLimit) -> None:
    while not await acquire_one(limits):
        pass
    assert await acquire_one(limits, subject="bob") == 0.0
    assert await acquire_one(limits, role="server") == 0.0  # with the same subject
    assert await acquire_one(limits, app="another") == 0.0


async def test_a_batch_takes_one_from_the_limit_per_update(limits: UpdateRateLimit) -> None:
    server = principal_of("server", "game", "one")
    await limits.acquire(server, "game", 4)
    with pytest.raises(TooManyRequests) as raised:
        await limits.acquire(server, "game", 2)
    assert raised.value.code == "rate_limited"
    await limits.acquire(server, "game", 1)


async def test_a_batch_larger_than_the_limit_is_allowed_after_a_pause(
    limits: UpdateRateLimit, time: ManualTimer
) -> None:
    server = principal_of("server", "game", "one")
    await limits.acquire(server, "game", 1_000)
    with pytest.raises(TooManyRequests):
        await limits.acquire(server, "game", 1)
    time.now += 1.0
    await limits.acquire(server, "game", 1_000)
