"""The rate limiter while the server that processes share is unreachable."""

import structlog

from scoreboard.application.ports.rate_limiter import RateLimiter, RateLimitStatus
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)


class FallbackRateLimiter:
    """A rate limiter that counts in this process while the shared one is unavailable.

    A limit protects callers from one another. It is not worth refusing all updates during an outage. So each process
    allows the whole limit for as long as the shared limiter is unavailable: N processes allow N times the limit.
    """

    def __init__(self, shared: RateLimiter, local: RateLimiter) -> None:
        self._shared = shared
        self._local = local
        self._fallback = False

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        try:
            status = await self._shared.acquire(key, limit, period_s, cost)
        except Unavailable as error:
            if not self._fallback:
                self._fallback = True
                log.warning("limits_counted_by_process", reason=error.detail)
            return await self._local.acquire(key, limit, period_s, cost)
        if self._fallback:
            self._fallback = False
            log.info("limits_shared_again")
        return status
