from structlog.typing import EventDict

from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.application.ports.limits import Allowance
from scoreboard.application.updates.fallback_rate_limiter import FallbackRateLimiter
from scoreboard.domain.errors import Unavailable


class Shared(MemoryLimits):
    """Limits of a server that can be taken away."""

    away = False

    async def take(self, key: str, limit: int, period_s: float, cost: int = 1) -> Allowance:
        if self.away:
            raise Unavailable("limits_unavailable", "it is away")
        return await super().take(key, limit, period_s, cost)


async def test_while_the_shared_count_is_away_each_process_limits_by_itself(logged: list[EventDict]) -> None:
    shared = Shared(lambda: 0.0)
    limits = FallbackRateLimiter(shared, MemoryLimits(lambda: 0.0))

    async def remaining() -> int:
        return (await limits.take("ann", 3, 60.0)).remaining

    assert [await remaining() for _ in range(2)] == [2, 1]
    shared.away = True
    assert [await remaining() for _ in range(3)] == [2, 1, 0]
    assert (await limits.take("ann", 3, 60.0)).retry_after_s > 0  # no flood
    shared.away = False
    assert await remaining() == 0
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("limits_counted_by_process", "warning"),
        ("limits_shared_again", "info"),
    ]
