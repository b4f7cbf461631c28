"""Requests that arrive together are done together.

The next group is what arrived while the last one was done; without an interval there is no tick, and no wait when idle.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Submission

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Bounds:
    """`pending` submissions at most wait for their group, beyond which updates are refused with 503; `batch` of them
    share one (a request with more goes whole). `interval_s` is the least time between the begins of two groups."""

    pending: int = 20_000
    batch: int = 500
    interval_s: float = 0.0


def _future() -> "asyncio.Future[R]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Waiting(Generic[R]):
    """One request, and what it waits for: a result for each of its submissions."""

    submissions: Sequence[Submission]
    ranks: bool = False
    results: "asyncio.Future[list[R]]" = field(default_factory=_future)


Group = Sequence[Waiting[R]]


class Batcher(Generic[R]):
    """`run` is the one worker."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._queue: deque[Waiting[R]] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self._not_before = 0.0  # by the clock of the event loop
        self.pending = 0

    async def join(self, waiting: Waiting[R]) -> list[R]:
        """The results. A caller that goes away takes nothing back. Raises Unavailable when there is no room."""
        if self._closed:
            raise Unavailable("shutting_down", "the server is going away; try again in a moment", retry_after_s=1)
        if self.pending + len(waiting.submissions) > self._bounds.pending:
            raise Unavailable("overloaded", "too many updates are waiting; try again in a moment", retry_after_s=1)
        self.pending += len(waiting.submissions)
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.results

    async def run(self, work: Callable[[Group[R]], Awaitable[None]]) -> None:
        """Do group after group until `close`, and then what had arrived before it."""
        while self._queue or not self._closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._its_time()
            group = self._next()
            await work(group)
            self.pending -= sum(len(waiting.submissions) for waiting in group)

    async def _its_time(self) -> None:
        """An operator may have groups wait for more to join: fewer and larger ones cost the store less. A full one does
        not wait."""
        if not self._bounds.interval_s or self.pending >= self._bounds.batch:
            return
        now = asyncio.get_running_loop().time()
        if now < self._not_before and not self._closed:
            await asyncio.sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + self._bounds.interval_s

    def close(self) -> None:
        """Take nothing more; `run` returns when all that was taken is done."""
        self._closed = True
        self._arrived.set()

    def _next(self) -> list[Waiting[R]]:
        group = [self._queue.popleft()]
        size = len(group[0].submissions)
        while self._queue and size + len(self._queue[0].submissions) <= self._bounds.batch:
            group.append(self._queue.popleft())
            size += len(group[-1].submissions)
        return group


def answer(group: Group[R], results: list[R]) -> None:
    """One result for each submission of the group, in order."""
    start = 0
    for waiting in group:
        end = start + len(waiting.submissions)
        if not waiting.results.done():  # else the caller hung up
            waiting.results.set_result(results[start:end])
        start = end


def fail(group: Group[R], error: Exception) -> None:
    for waiting in group:
        if not waiting.results.done():
            waiting.results.set_exception(error)
