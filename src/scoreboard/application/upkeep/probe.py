"""Probe: the state of the servers and of the queue, for the metrics."""

import asyncio
import math
from collections.abc import Mapping

from scoreboard.application.ports.backend import Ping, QueueBackend

TIMEOUT_S = 3.0


class Probe:
    """The job that pings every server and counts the messages of the queue.

    `answers` maps the name of a server to whether it answered within TIMEOUT_S. `waiting` and `dead` count messages and
    dead letters. They are NaN while the queue is unreachable.
    """

    def __init__(self, servers: Mapping[str, Ping], queue: QueueBackend | None) -> None:
        self._servers = dict(servers)
        self._queue = None if queue is None else queue.queue
        if queue is not None:
            self._servers[queue.name] = self._count_messages
        self.answers: dict[str, bool] = {}
        self.waiting = self.dead = math.nan

    async def once(self) -> None:
        await asyncio.gather(*(self._ping(name, ping) for name, ping in self._servers.items()))

    async def _ping(self, name: str, ping: Ping) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await ping()
        except Exception:  # the adapter of the server logs the cause
            self.answers[name] = False
        else:
            self.answers[name] = True

    async def _count_messages(self) -> None:
        self.waiting = self.dead = math.nan
        if self._queue is not None:
            self.waiting, self.dead = await asyncio.gather(
                self._queue.count_waiting(), self._queue.count_dead_letters()
            )
