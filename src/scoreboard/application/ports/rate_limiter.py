"""Rate limits."""

from typing import NamedTuple, Protocol


class RateLimitStatus(NamedTuple):
    """What a caller has left: `remaining` of `limit`, all again after `reset_s`; `retry_after_s` is 0 when allowed."""

    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter(Protocol):
    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        """Take `cost` of the `limit` that `key` has in each `period_s`, or nothing when it does not have it.

        A burst of `limit` is allowed after a period of rest; a refusal costs nothing.
        """
        ...
