"""MemoryRateLimiter: rate limits of one process.

The algorithm is GCRA (the generic cell rate algorithm of ITU-T I.371). It keeps one number per caller: the instant at
which its debt is repaid.
"""

import time
from collections.abc import Callable

from scoreboard.application.ports.rate_limiter import RateLimitStatus

SWEEP_EVERY = 4_096  # new callers between two sweeps of the callers without debt


class MemoryRateLimiter:
    """Rate limits in exact integers.

    Time is counted in nanoseconds times the limit, so that a request costs a whole number.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.repaid_at: dict[tuple[str, int], tuple[int, int]] = {}  # in that unit, and in nanoseconds
        self._sweep_at = SWEEP_EVERY

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        now_ns, period_ns = int(self._clock() * 1e9), int(period_s * 1e9)
        now, full = now_ns * limit, period_ns * limit
        repaid_at = max(self.repaid_at.get((key, limit), (now, 0))[0], now)
        debt = repaid_at - now
        after = debt + period_ns * cost
        if after > full:
            wait_s = (after - full) / limit / 1e9
            return RateLimitStatus(limit, (full - debt) // period_ns, debt / limit / 1e9, wait_s)
        self.repaid_at[key, limit] = now + after, (now + after) // limit
        if len(self.repaid_at) > self._sweep_at:
            self._sweep(now_ns)
        return RateLimitStatus(limit, (full - after) // period_ns, after / limit / 1e9, 0.0)

    def _sweep(self, now_ns: int) -> None:
        self.repaid_at = {key: at for key, at in self.repaid_at.items() if at[1] >= now_ns}
        self._sweep_at = 2 * len(self.repaid_at) + SWEEP_EVERY
