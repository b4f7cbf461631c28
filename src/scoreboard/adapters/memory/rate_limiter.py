"""MemoryLimits: rate limits in process, by GCRA (the generic cell rate algorithm of ITU-T I.371).

One number a caller: the instant by which what it has used is earned back.
"""

import time
from collections.abc import Callable

from scoreboard.application.ports.rate_limiter import RateLimitStatus

SWEEP_EVERY = 4_096  # new callers, before those that have everything back are forgotten


class MemoryRateLimiter:
    """Exact, in integers: time is counted in nanoseconds times the limit, so that one costs a whole number of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.earned_back: dict[tuple[str, int], tuple[int, int]] = {}  # by that count, and in nanoseconds
        self._sweep_at = SWEEP_EVERY

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        now_ns, period_ns = int(self._clock() * 1e9), int(period_s * 1e9)
        now, full = now_ns * limit, period_ns * limit
        earned_back = max(self.earned_back.get((key, limit), (now, 0))[0], now)
        after = earned_back + period_ns * cost
        if after - now > full:
            wait_s = (after - now - full) / limit / 1e9
            return RateLimitStatus(
                limit, (full - (earned_back - now)) // period_ns, (earned_back - now) / limit / 1e9, wait_s
            )
        self.earned_back[key, limit] = after, after // limit
        if len(self.earned_back) > self._sweep_at:
            self._sweep(now_ns)
        return RateLimitStatus(limit, (full - (after - now)) // period_ns, (after - now) / limit / 1e9, 0.0)

    def _sweep(self, now_ns: int) -> None:
        self.earned_back = {key: at for key, at in self.earned_back.items() if at[1] >= now_ns}
        self._sweep_at = 2 * len(self.earned_back) + SWEEP_EVERY
