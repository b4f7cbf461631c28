"""The prefetched messages, in the order in which they are handled."""

import asyncio
from collections import deque
from collections.abc import Mapping

from scoreboard.application.ports.queue import Delivery
from scoreboard.domain.board import Priority

WEIGHTS: Mapping[Priority, int] = {"high": 8, "normal": 4, "low": 1}  # highest priority first


class PriorityBuffer:
    """Weighted round robin over the priorities.

    While all priorities have messages, each round takes WEIGHTS of them, the highest priority first.
    """

    def __init__(self) -> None:
        self._waiting: dict[Priority, deque[Delivery]] = {priority: deque() for priority in WEIGHTS}
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
        """Wait for a message, and return from one to `most`. Cancelling loses none."""
        while not len(self):
            self._filled.clear()
            await self._filled.wait()
        return [self._next() for _ in range(min(most, len(self)))]

    def _next(self) -> Delivery:
        filled = [priority for priority, waiting in self._waiting.items() if waiting]
        priority = next((priority for priority in filled if self._left[priority]), None)
        if priority is None:
            self._left, priority = dict(WEIGHTS), filled[0]
        self._left[priority] -= 1
        return self._waiting[priority].popleft()
