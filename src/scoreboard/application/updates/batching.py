"""Batching: requests that arrive together are processed together.

A batch contains the requests that arrived during the previous one. Without an interval, a request to an idle batcher
is processed at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scoreboard.domain import codes
from scoreboard.domain.submission import Submission

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of a batcher, in submissions.

    At most `pending` submissions wait for their batch; further ones are refused with 503. At most `batch` share one,
    but a larger request is not split. `interval_s` is the least time between the starts of two batches.
    """

    pending: int = 20_000
    batch: int = 500
    interval_s: float = 0.0


@dataclass(slots=True, eq=False)
class PendingRequest(Generic[R]):
    """A request, and the future of its results, one for each of its submissions."""

    submissions: Sequence[Submission]
    ranks: bool
    results: "asyncio.Future[list[R]]"


Batch = Sequence[PendingRequest[R]]


class Batcher(Generic[R]):
    """A queue of requests that are processed in batches, by the single task `run`."""

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits
        self._queue: deque[PendingRequest[R]] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self._not_before = 0.0  # by the clock of the event loop
        self.pending = 0

    async def join(self, submissions: Sequence[Submission], *, ranks: bool = False) -> list[R]:
        """Add a request to the next batch, and return its results.

        Cancelling the caller does not withdraw the request. Raises Unavailable when too many submissions are pending.
        """
        if self._closed:
            raise codes.SHUTTING_DOWN.error("the server is shutting down; try again in a moment", retry_after_s=1)
        if self.pending + len(submissions) > self.limits.pending:
            raise codes.OVERLOADED.error("too many updates are waiting; try again in a moment", retry_after_s=1)
        request: PendingRequest[R] = PendingRequest(submissions, ranks, asyncio.get_running_loop().create_future())
        self.pending += len(submissions)
        self._queue.append(request)
        self._arrived.set()
        return await request.results

    async def run(self, work: Callable[[Batch[R]], Awaitable[None]]) -> None:
        """Process batches until `close`, and then the requests that arrived before it."""
        while self._queue or not self._closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if self.limits.interval_s and self.pending < self.limits.batch:
                await self._wait_for_interval()
            batch = [self._queue.popleft()]
            size = len(batch[0].submissions)
            while self._queue and size + len(self._queue[0].submissions) <= self.limits.batch:
                batch.append(self._queue.popleft())
                size += len(batch[-1].submissions)
            await work(batch)
            self.pending -= size

    async def _wait_for_interval(self) -> None:
        """Wait for more requests, because fewer and larger batches cost the store less."""
        now = asyncio.get_running_loop().time()
        if now < self._not_before and not self._closed:
            await asyncio.sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + self.limits.interval_s

    def close(self) -> None:
        """Refuse new requests. `run` returns when all earlier ones are processed."""
        self._closed = True
        self._arrived.set()


def complete(batch: Batch[R], results: list[R]) -> None:
    """Return its results to each request. `results` has one per submission, in order."""
    start = 0
    for request in batch:
        end = start + len(request.submissions)
        if not request.results.done():  # otherwise the caller was cancelled
            request.results.set_result(results[start:end])
        start = end


def fail(batch: Batch[R], error: Exception) -> None:
    """Raise an error in each caller of the batch."""
    for request in batch:
        if not request.results.done():
            request.results.set_exception(error)
