"""Accept: from here on the submission cannot be lost. Requests that arrive together share one transaction.

The next batch is what arrived while the last one was committed; there is no tick and, when idle, no wait.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from scoreboard.application.pipeline.apply import decide, poisoned
from scoreboard.application.pipeline.rank import Rank, Result
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Submission

log = structlog.get_logger(__name__)

RETRY_PAUSES_S = (0.05, 0.2, 0.5)  # before a transaction whose outcome is unknown is tried again, under the same ids


@dataclass(frozen=True, slots=True)
class Bounds:
    """`pending` submissions at most wait for a transaction, beyond which updates are refused with 503; `batch` of them
    share one (a request with more goes whole)."""

    pending: int = 20_000
    batch: int = 500


@dataclass(slots=True, eq=False)
class _Waiting:
    submissions: Sequence[Submission]
    ranks: bool
    results: asyncio.Future[list[Result]]


class Accept:
    """Group commit. `run` is its one worker; `stamp` gives the instants by which submissions are ordered."""

    def __init__(self, ledger: Ledger, rank: Rank, clock: Clock, bounds: Bounds) -> None:
        self._ledger = ledger
        self._rank = rank
        self._clock = clock
        self._bounds = bounds
        self._queue: deque[_Waiting] = deque()
        self._pending = 0
        self._arrived = asyncio.Event()
        self._last_stamp = 0
        self._closed = False

    @property
    def pending(self) -> int:
        """Submissions that wait for, or are in, a transaction."""
        return self._pending

    def stamp(self) -> int:
        """An `accepted_at`: the clock's, and always later than the one before, whatever the clock does."""
        self._last_stamp = max(self._clock(), self._last_stamp + 1)
        return self._last_stamp

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[Result]:
        """The results, once durable. A caller that goes away takes nothing back. Raises Unavailable when there is no
        room, and when the store failed: then the outcome may be unknown, and the same key finds out."""
        if self._closed:
            raise Unavailable("shutting_down", "the server is going away; try again in a moment", retry_after_s=1)
        if self._pending + len(submissions) > self._bounds.pending:
            raise Unavailable("overloaded", "too many updates are waiting; try again in a moment", retry_after_s=1)
        waiting = _Waiting(submissions, ranks, asyncio.get_running_loop().create_future())
        self._pending += len(submissions)
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.results

    async def start(self) -> None:
        """Go on above every instant that the ledger has. To be awaited before anything is submitted."""
        self._last_stamp = max(self._last_stamp, await self._ledger.latest_instant())

    async def run(self) -> None:
        """Commit batch after batch until `close`, and then what had arrived before it."""
        await self.start()
        while self._queue or not self._closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = self._next_batch()
            await self._commit(batch)
            self._pending -= sum(len(waiting.submissions) for waiting in batch)

    def close(self) -> None:
        """Accept nothing more; `run` returns when all that was accepted has its outcome."""
        self._closed = True
        self._arrived.set()

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        size = len(batch[0].submissions)
        while self._queue and size + len(self._queue[0].submissions) <= self._bounds.batch:
            batch.append(self._queue.popleft())
            size += len(batch[-1].submissions)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """One transaction for all. If the store takes them together but not in any other way, halve until it does."""
        submissions = [s for waiting in batch for s in waiting.submissions]
        try:
            decision = await self._transact(submissions)
        except Unavailable as error:
            _fail(batch, error)
        except Exception:
            log.exception("batch_refused", submissions=len(submissions))
            await self._commit_apart(batch)
        else:
            try:
                results = await self._rank(submissions, decision, place=any(waiting.ranks for waiting in batch))
            except Exception:
                log.exception("rank_failed")  # what is durable is told; repair ranks it from the projection note
                results = [Result(outcome) for outcome in decision.outcomes]
            _answer(batch, results)

    async def _commit_apart(self, batch: list[_Waiting]) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        (waiting,) = batch
        if len(waiting.submissions) == 1:
            _answer(batch, [Result(poisoned(waiting.submissions[0]))])
            return
        alone = [_Waiting([s], waiting.ranks, asyncio.get_running_loop().create_future()) for s in waiting.submissions]
        await self._commit(alone)
        try:
            results = [result for one in alone for result in one.results.result()]
        except Unavailable as error:
            _fail(batch, error)
        else:
            _answer(batch, results)

    async def _transact(self, submissions: Sequence[Submission]) -> Decision:
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._ledger.transact(submissions, decide)
            except Unavailable as error:
                log.warning("transaction_failed", code=error.code, detail=error.detail, retry_in_s=pause_s)
                await asyncio.sleep(pause_s)
        return await self._ledger.transact(submissions, decide)


def _answer(batch: Sequence[_Waiting], results: list[Result]) -> None:
    start = 0
    for waiting in batch:
        end = start + len(waiting.submissions)
        if not waiting.results.done():  # else the caller hung up
            waiting.results.set_result(results[start:end])
        start = end


def _fail(batch: Sequence[_Waiting], error: Unavailable) -> None:
    for waiting in batch:
        if not waiting.results.done():
            waiting.results.set_exception(error)
