"""Circuit breaker: while a server fails, the calls to it fail at once."""

import time
from collections.abc import Callable

PAUSE_S = 1.0


class Breaker:
    """Circuit breaker of one server.

    A failure blocks all calls for PAUSE_S, then one trial call is admitted. Its success admits all calls again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._retry_at: float | None = None

    def admits(self) -> bool:
        if self._retry_at is None:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        self._retry_at = now + PAUSE_S  # the trial call may never report its outcome; then another one is admitted
        return True

    def succeeded(self) -> None:
        self._retry_at = None

    def failed(self) -> bool:
        """Block calls; return whether this is the first failure after a success."""
        first = self._retry_at is None
        self._retry_at = self._clock() + PAUSE_S
        return first
