"""RedisLimits: rate limits that all processes share."""

import asyncio
import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from scoreboard.adapters.redis.connection import FAILURES, Client
from scoreboard.adapters.redis.script import Script
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.domain import codes
from scoreboard.domain.errors import Unavailable

_TAKE = Script("rate_limits.lua")

PREFIX = "sb:{limits}:"  # of keys

TAKINGS_A_CALL = 500
ANSWER_S = 0.25  # a limit is not worth a longer wait
PAUSE_S = 1.0  # after a failure, until the server is asked again


class _Taking(NamedTuple):
    key: bytes
    limit: int
    period_us: int
    cost: int
    told: "asyncio.Future[tuple[bool, int]]"


_Callers: TypeAlias = dict[tuple[bytes, int, int], list[_Taking]]
"""What each takes, in order: key, limit and period."""


class RedisRateLimiter:
    """Exact, in integers, and by one clock: the server's. What is asked while a call is under way shares the next.

    All callers are in one slot, so that they can share a call in a Cluster too. `take` raises Unavailable when the
    server fails or does not answer within moments, and for a while after that without asking it.
    """

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        """`clock` stands in for the server's."""
        self._client = client
        self._clock = clock
        self._waiting: list[_Taking] = []
        self._calling: asyncio.Task[None] | None = None
        self._ask_again_at = 0.0  # by the clock of the event loop

    async def acquire(self, key: str, limit: int, period_s: float, cost: int = 1) -> RateLimitStatus:
        loop = asyncio.get_running_loop()
        if loop.time() < self._ask_again_at:
            raise _unavailable("it failed a moment ago")
        name = f"{PREFIX}{limit}:{key}".encode(errors="surrogatepass")
        taking = _Taking(name, limit, round(period_s * 1e6), cost, loop.create_future())
        self._waiting.append(taking)
        if self._calling is None:
            self._calling = loop.create_task(self._call_while_asked())
        return _allowance(taking, *await taking.told)

    async def _call_while_asked(self) -> None:
        try:
            while self._waiting:
                await self._call()
        finally:
            self._calling = None

    async def _call(self) -> None:
        """Answer those who wait, as many as fit into a call; or, when that fails, all of them."""
        loop = asyncio.get_running_loop()
        takings, self._waiting = self._waiting[:TAKINGS_A_CALL], self._waiting[TAKINGS_A_CALL:]
        callers = _by_caller(takings)
        call = loop.create_task(self._told(callers))
        await asyncio.wait((call,), timeout=ANSWER_S)
        if not call.done():
            self._ask_again_at = math.inf
            self._fail(takings, _unavailable("it is slow"))
            # It is not cut short: it may be finding out where the server is now.
            await asyncio.wait((call,))
        self._ask_again_at = 0.0
        error = call.exception()
        if error is None:
            for taking, allowed, owed in zip(
                chain(*callers.values()), call.result()[::2], call.result()[1::2], strict=True
            ):
                if not taking.told.done():
                    taking.told.set_result((bool(allowed), owed))
        else:
            self._ask_again_at = loop.time() + PAUSE_S
            self._fail(takings, _unavailable(str(error)) if isinstance(error, FAILURES) else error)

    def _fail(self, takings: Sequence[_Taking], error: BaseException) -> None:
        for taking in chain(takings, self._waiting):
            if not taking.told.done():
                taking.told.set_exception(error)
        self._waiting = []

    async def _told(self, callers: _Callers) -> Sequence[int]:
        asked: list[int | str] = ["" if self._clock is None else self._clock()]
        for (_, limit, period_us), takings in callers.items():
            asked += (limit, period_us, len(takings), *(taking.cost for taking in takings))
        told: Sequence[int] = await _TAKE(self._client, [key for key, _, _ in callers], asked)
        return told


def _by_caller(takings: Sequence[_Taking]) -> _Callers:
    """Who takes several times is looked up and written once."""
    callers: _Callers = {}
    for taking in takings:
        callers.setdefault(taking[:3], []).append(taking)
    return callers


def _allowance(taking: _Taking, allowed: bool, owed: int) -> RateLimitStatus:
    limit, period_us = taking.limit, taking.period_us
    full = period_us * limit
    short = 0 if allowed else owed + period_us * taking.cost - full
    wait_us = -(-short // limit)  # rounded up: after it the same is allowed
    return RateLimitStatus(limit, (full - owed) // period_us, owed / limit / 1e6, wait_us / 1e6)


def _unavailable(why: str) -> Unavailable:
    return codes.LIMITS_UNAVAILABLE.error(f"the server of the rate limits cannot be asked: {why}")
