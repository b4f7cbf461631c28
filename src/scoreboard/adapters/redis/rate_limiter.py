"""RedisRateLimiter: rate limits that all processes share."""

import asyncio
import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from scoreboard.adapters.redis.connection import FAILURES, Client
from scoreboard.adapters.redis.script import Script
from scoreboard.adapters.redis.timeouts import TIMEOUTS, RedisTimeouts
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.concurrency.coalescer import Coalescer
from scoreboard.domain import codes
from scoreboard.domain.errors import Unavailable

_ACQUIRE = Script("rate_limits.lua")

PREFIX = "sb:{limits}:"  # of keys
REQUESTS_A_CALL = 500
PAUSE_S = 1.0  # after a failure, until the server is called again


class _Request(NamedTuple):
    key: bytes
    limit: int
    period_us: int
    cost: int


class RedisRateLimiter:
    """Rate limits in exact integers, measured by the server's clock.

    All keys are in one slot, so that concurrent requests share one call in a Cluster too. `acquire` raises Unavailable
    when the server fails or exceeds the time-out. For a while after that, it does so without a call.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock | None = None,  # replaces the server's clock in tests
        timeouts: RedisTimeouts = TIMEOUTS,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._client = client
        self._clock = clock
        self._timeout_s = timeouts.rate_limit_s
        self._pause_s = pause_s
        self._retry_at = 0.0  # by the clock of the event loop; infinite while a late call is still in flight
        self._calls = Coalescer(self._call, REQUESTS_A_CALL)

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        if self._retry_at:
            self._check_available()
        name = f"{PREFIX}{limit}:{key}".encode(errors="surrogatepass")
        request = _Request(name, limit, round(period_s * 1e6), cost)
        allowed, debt = await self._calls.ask(None, request)
        full = request.period_us * limit
        short = 0 if allowed else debt + request.period_us * cost - full
        wait_us = -(-short // limit)  # rounded up, so that the same request is allowed after the wait
        return RateLimitStatus(limit, (full - debt) // request.period_us, debt / limit / 1e6, wait_us / 1e6)

    def _check_available(self) -> None:
        if asyncio.get_running_loop().time() < self._retry_at:
            raise _unavailable("it failed a moment ago")

    async def _call(self, _: None, requests: Sequence[_Request]) -> Sequence[tuple[int, int]]:
        if self._retry_at:
            self._check_available()  # again, for requests that waited while the previous call failed
        call = asyncio.create_task(self._run_script(requests))
        await asyncio.wait((call,), timeout=self._timeout_s)
        if not call.done():
            # The late call is not cancelled, because it may be looking for the server's new address.
            self._retry_at = math.inf
            call.add_done_callback(self._finish_late_call)
            raise _unavailable("it is slow")
        try:
            results = call.result()
        except Exception as error:
            self._retry_at = asyncio.get_running_loop().time() + self._pause_s
            if isinstance(error, FAILURES):
                raise _unavailable(str(error)) from error
            raise
        self._retry_at = 0.0
        return results

    def _finish_late_call(self, call: "asyncio.Task[Sequence[tuple[int, int]]]") -> None:
        failed = call.cancelled() or call.exception() is not None
        self._retry_at = call.get_loop().time() + self._pause_s if failed else 0.0

    async def _run_script(self, requests: Sequence[_Request]) -> Sequence[tuple[int, int]]:
        """Return for each request whether it is allowed, and the debt after it."""
        # Several requests for one key need only one key in the script.
        by_key: dict[tuple[bytes, int, int], list[int]] = {}
        for number, request in enumerate(requests):
            by_key.setdefault(request[:3], []).append(number)
        arguments: list[int | str] = ["" if self._clock is None else self._clock()]
        for (_, limit, period_us), numbers in by_key.items():
            arguments += (limit, period_us, len(numbers), *[requests[number].cost for number in numbers])
        reply: Sequence[int] = await _ACQUIRE(self._client, [key for key, _, _ in by_key], arguments)
        results = list(zip(reply[::2], reply[1::2], strict=True))
        if len(by_key) < len(requests):
            ordered = sorted(zip(chain(*by_key.values()), results, strict=True))
            results = [result for _, result in ordered]
        return results


def _unavailable(why: str) -> Unavailable:
    return codes.LIMITS_UNAVAILABLE.error(f"the server of the rate limits is unavailable: {why}")
