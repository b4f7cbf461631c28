"""How often a credential may update."""

from dataclasses import dataclass

from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.limits import Allowance, Limits
from scoreboard.domain.errors import TooMany


@dataclass(frozen=True, slots=True)
class UpdateRates:
    """Updates a player's token may make in a minute, and a server's or admin's in a second."""

    player_per_minute: int = 120
    server_per_second: int = 50_000


async def check(limits: Limits, rates: UpdateRates, credential: Principal, app: str, updates: int = 1) -> Allowance:
    """Take `updates` from the credential's allowance. Raises TooMany with the true wait."""
    if credential.role == "player":
        limit, period_s = rates.player_per_minute, 60.0
    else:
        limit, period_s = rates.server_per_second, 1.0
    # A batch greater than the limit takes all of it: allowed after a rest, rather than never.
    allowance = await limits.take(f"{app}/{credential.name}", limit, period_s, min(updates, limit))
    if allowance.retry_after_s:
        raise TooMany(
            "rate_limited",
            f"at most {limit} updates in {period_s:g} s; try again in {allowance.retry_after_s:.1f} s",
            retry_after_s=allowance.retry_after_s,
        )
    return allowance
