"""Limit how many updates a principal sends."""

from dataclasses import dataclass

from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.rate_limiter import RateLimiter, RateLimitStatus
from scoreboard.domain import codes


@dataclass(frozen=True, slots=True)
class UpdateRateLimit:
    """The updates that a player's token may send in a minute, and a server's or admin's in a second."""

    limits: RateLimiter
    player_per_minute: int
    server_per_second: int

    async def acquire(self, principal: Principal, app: str, updates: int) -> RateLimitStatus:
        """Take `updates` from the principal's allowance. Raise TooMany with the true wait."""
        if principal.role == "player":
            limit, period_s = self.player_per_minute, 60.0
        else:
            limit, period_s = self.server_per_second, 1.0
        # A batch greater than the limit takes all of it: allowed after a rest, rather than never.
        allowance = await self.limits.acquire(f"{app}/{principal.name}", limit, period_s, min(updates, limit))
        if allowance.retry_after_s:
            raise codes.RATE_LIMITED.error(
                f"at most {limit} updates in {period_s:g} s; retry in {allowance.retry_after_s:.1f} s",
                retry_after_s=allowance.retry_after_s,
            )
        return allowance
