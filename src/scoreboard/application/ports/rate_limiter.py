"""The rate limiter port."""

from typing import NamedTuple, Protocol


class RateLimitStatus(NamedTuple):
    """The state of a caller's limit. `retry_after_s` is 0 when the request is allowed.

    `remaining` of `limit` are left now. After `reset_s` seconds without a request, all are left.
    """

    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter(Protocol):
    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        """Take `cost` from the limit of a key, or nothing when less than that is left.

        A key has `limit` in each period of `period_s` seconds, and all of it at once after a period without requests.
        Raises Unavailable when a shared limiter is unreachable.
        """
