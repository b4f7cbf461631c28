"""What a rate limit is worth while the server that counts for it is away."""

import structlog

from scoreboard.application.ports.rate_limiter import RateLimiter, RateLimitStatus
from scoreboard.domain.errors import Unavailable

log = structlog.get_logger(__name__)


class FallbackRateLimiter:
    """Limits that all processes share; while those are unavailable, this process's own.

    A limit keeps one caller from crowding out the others, and no update may be lost for want of it: so while the
    shared count is away each process allows the whole limit by itself. N processes then allow at most N times the
    limit, which is not all there is.
    """

    def __init__(self, shared: RateLimiter, own: RateLimiter) -> None:
        self._shared = shared
        self._own = own
        self._away = False

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        """As the port says; it is never unavailable."""
        try:
            allowance = await self._shared.acquire(key, limit, period_s, cost)
        except Unavailable as error:
            if not self._away:
                self._away = True
                log.warning("limits_counted_by_process", reason=error.detail)
            return await self._own.acquire(key, limit, period_s, cost)
        if self._away:
            self._away = False
            log.info("limits_shared_again")
        return allowance
