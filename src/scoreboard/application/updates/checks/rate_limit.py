"""The rate limit of updates."""

import math
from dataclasses import dataclass

from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.rate_limiter import RateLimiter, RateLimitStatus
from scoreboard.domain import codes


@dataclass(frozen=True, slots=True)
class UpdateRateLimit:
    """The limits of a player per minute, and of a server or an admin per second."""

    limits: RateLimiter
    player_per_minute: int
    server_per_second: int

    async def acquire(self, principal: Principal, app: str, updates: int) -> RateLimitStatus:
        """Take `updates` from the principal's limit. Raises TooManyRequests."""
        if principal.role == "player":
            limit, period_s = self.player_per_minute, 60.0
        else:
            limit, period_s = self.server_per_second, 1.0
        # A batch larger than the limit takes all of it. Otherwise it could never be sent.
        status = await self.limits.acquire(f"{app}/{principal.name}", limit, period_s, min(updates, limit))
        if status.retry_after_s:
            raise codes.RATE_LIMITED.error(
                f"the limit is {limit:,} updates in {period_s:g} s; retry in {math.ceil(status.retry_after_s)} s",
                retry_after_s=status.retry_after_s,
            )
        return status
