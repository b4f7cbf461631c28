"""MemoryLimits: rate limits in process, by GCRA (the generic cell rate algorithm of ITU-T I.371).

One number a caller: the instant by which what it has used is earned back.
"""

import time
from collections.abc import Callable

from scoreboard.application.ports.limits import Allowance

SWEEP_EVERY = 4_096  # new callers, before those that have everything back are forgotten


class MemoryLimits:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._earned_back: dict[str, float] = {}
        self._sweep_at = SWEEP_EVERY

    def take(self, key: str, limit: int, period_s: float, cost: int = 1) -> Allowance:
        now = self._clock()
        each_s = period_s / limit
        earned_back = max(self._earned_back.get(key, now), now)
        after = earned_back + each_s * cost
        wait_s = after - period_s - now
        if wait_s > 1e-9:
            return Allowance(limit, int((period_s - (earned_back - now)) / each_s), earned_back - now, wait_s)
        self._earned_back[key] = after
        if len(self._earned_back) > self._sweep_at:
            self._sweep(now)
        return Allowance(limit, int((period_s - (after - now)) / each_s + 1e-6), after - now, 0.0)

    def _sweep(self, now: float) -> None:
        self._earned_back = {key: at for key, at in self._earned_back.items() if at > now}
        self._sweep_at = 2 * len(self._earned_back) + SWEEP_EVERY
