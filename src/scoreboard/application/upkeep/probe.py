"""Probe: whether each server answers, and what waits in the queue, looked at every few seconds for the metrics."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from scoreboard.application.ports.queue import Queue

EVERY_S = 5.0
ANSWER_S = 3.0

Ask: TypeAlias = Callable[[], Awaitable[object]]


class Probe:
    """`answers` by the name of the server, none before the first look. `waiting` and `dead` are not a number while the
    queue is away."""

    def __init__(self, servers: Mapping[str, Ask], queue: Queue | None) -> None:
        self._servers = dict(servers)
        self._queue = queue
        if queue is not None:
            self._servers["rabbitmq"] = self._count
        self.answers: dict[str, bool] = {}
        self.waiting = self.dead = math.nan

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        await asyncio.gather(*(self._look(name, ask) for name, ask in self._servers.items()))

    async def _look(self, name: str, ask: Ask) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await ask()
        except Exception:  # whatever it is: it does not answer; who uses it says why
            self.answers[name] = False
        else:
            self.answers[name] = True

    async def _count(self) -> None:
        self.waiting = self.dead = math.nan
        if self._queue is not None:
            self.waiting, self.dead = await asyncio.gather(self._queue.waiting(), self._queue.dead())
