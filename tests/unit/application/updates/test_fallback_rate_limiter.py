from structlog.typing import EventDict

from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.application.updates.fallback_rate_limiter import FallbackRateLimiter
from scoreboard.domain import codes


class SharedRateLimiter(MemoryRateLimiter):
    """A shared rate limiter with simulated outages."""

    unreachable = False

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        if self.unreachable:
            raise codes.LIMITS_UNAVAILABLE.error("not now")
        return await super().acquire(key, limit, period_s, cost)


async def test_each_process_counts_alone_while_the_shared_limiter_is_unreachable(logged: list[EventDict]) -> None:
    shared = SharedRateLimiter(lambda: 0.0)
    limits = FallbackRateLimiter(shared, MemoryRateLimiter(lambda: 0.0))

    async def remaining() -> int:
        return (await limits.acquire("ann", 3, 60.0)).remaining

    assert [await remaining() for _ in range(2)] == [2, 1]
    shared.unreachable = True
    assert [await remaining() for _ in range(3)] == [2, 1, 0]
    assert (await limits.acquire("ann", 3, 60.0)).retry_after_s > 0  # the limit still applies
    shared.unreachable = False
    assert await remaining() == 0
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("limits_counted_by_process", "warning"),
        ("limits_shared_again", "info"),
    ]
