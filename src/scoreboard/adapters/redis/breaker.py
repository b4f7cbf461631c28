"""A breaker: while a server fails, the calls to it fail at once."""

import time
from collections.abc import Callable

PAUSE_S = 1.0


class Breaker:
    """After a failure nothing is admitted for PAUSE_S; then one call, and the others when that one has succeeded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._again_at: float | None = None

    def admits(self) -> bool:
        if self._again_at is None:
            return True
        now = self._clock()
        if now < self._again_at:
            return False
        self._again_at = now + PAUSE_S  # should this call not come back, another may try
        return True

    def succeeded(self) -> None:
        self._again_at = None

    def failed(self) -> bool:
        """Whether it is the first failure after a success."""
        first = self._again_at is None
        self._again_at = self._clock() + PAUSE_S
        return first
