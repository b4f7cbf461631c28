"""What was fetched ahead and is not taken yet, and which of it comes next."""

import asyncio
from collections import deque
from collections.abc import Mapping

from scoreboard.application.ports.queue import Delivery
from scoreboard.domain.board import Priority

WEIGHTS: Mapping[Priority, int] = {"high": 8, "normal": 4, "low": 1}  # the order is that of the tiers


class PriorityBuffer:
    """While all tiers have something, they are taken in the proportion of WEIGHTS, the higher first in each round."""

    def __init__(self) -> None:
        self._waiting: dict[Priority, deque[Delivery]] = {tier: deque() for tier in WEIGHTS}
        self._left = dict(WEIGHTS)  # in this round
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, delivery: Delivery) -> None:
        self._waiting[delivery.message.priority].append(delivery)
        self._filled.set()

    def clear(self) -> None:
        for waiting in self._waiting.values():
            waiting.clear()

    async def next(self, most: int) -> list[Delivery]:
        """At least one and at most `most`. Between what is taken and the return there is no wait to be cancelled in."""
        while not len(self):
            self._filled.clear()
            await self._filled.wait()
        return [self._next() for _ in range(min(most, len(self)))]

    def _next(self) -> Delivery:
        filled = [tier for tier, waiting in self._waiting.items() if waiting]
        tier = next((tier for tier in filled if self._left[tier]), None)
        if tier is None:
            self._left, tier = dict(WEIGHTS), filled[0]
        self._left[tier] -= 1
        return self._waiting[tier].popleft()
