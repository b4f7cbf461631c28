"""Probe: whether each server answers, and what waits in the queue, looked at every few seconds for the metrics."""

import asyncio
import math
from collections.abc import Mapping

from scoreboard.application.ports.backend import Ping, QueueBackend

EVERY_S = 5.0
ANSWER_S = 3.0


class Probe:
    """`answers` by the name of the server, none before the first look. `waiting` and `dead` are not a number while the
    queue is away."""

    def __init__(self, servers: Mapping[str, Ping], queue: QueueBackend | None) -> None:
        self._servers = dict(servers)
        self._queue = None if queue is None else queue.queue
        if queue is not None:
            self._servers[queue.name] = self._count
        self.answers: dict[str, bool] = {}
        self.waiting = self.dead = math.nan

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        await asyncio.gather(*(self._look(name, ping) for name, ping in self._servers.items()))

    async def _look(self, name: str, ping: Ping) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await ping()
        except Exception:  # whatever it is: it does not answer; who uses it says why
            self.answers[name] = False
        else:
            self.answers[name] = True

    async def _count(self) -> None:
        self.waiting = self.dead = math.nan
        if self._queue is not None:
            self.waiting, self.dead = await asyncio.gather(
                self._queue.count_waiting(), self._queue.count_dead_letters()
            )
