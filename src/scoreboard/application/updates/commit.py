"""Accept: from here on the submission cannot be lost. Requests that arrive together share one transaction.

Batcher says which; a batch is retried, and taken apart where the store takes it in part only. While one batch is
ranked the next is committed.
"""

import asyncio
from collections.abc import Sequence

import structlog

from scoreboard.application.live.precedence import Precedence
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.application.updates.batching import Batcher, Bounds, Group, Waiting, answer, fail
from scoreboard.application.updates.decide import decide, poisoned
from scoreboard.application.updates.rank import Rank, Result
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Submission

log = structlog.get_logger(__name__)

RETRY_WITHIN_S = 2.0  # a store that takes longer than this to fail is not tried again
RETRY_PAUSES_S = (0.05, 0.2, 0.5)  # before a transaction whose outcome is unknown is tried again, under the same ids


class Accept:
    """Group commit. `run` is its one worker; `stamp` gives the instants by which submissions are ordered.
    `batches` counts the transactions tried, `batched` the submissions in them."""

    def __init__(self, ledger: Ledger, rank: Rank, clock: Clock, bounds: Bounds, precedence: Precedence) -> None:
        self._ledger = ledger
        self._rank = rank
        self._clock = clock
        self._precedence = precedence
        self._grouping: Batcher[Result] = Batcher(bounds)
        self._last_stamp = 0
        self._ranking: asyncio.Task[None] | None = None
        self.batches = self.batched = 0

    @property
    def pending(self) -> int:
        """Submissions that wait for, or are in, a transaction."""
        return self._grouping.pending

    def stamp(self) -> int:
        """An `accepted_at`: the clock's, and always later than the one before, whatever the clock does."""
        self._last_stamp = max(self._clock(), self._last_stamp + 1)
        return self._last_stamp

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[Result]:
        """The results, once durable. A caller that goes away takes nothing back. Raises Unavailable when there is no
        room, and when the store failed: then the outcome may be unknown, and the same key finds out."""
        return await self._grouping.join(Waiting(submissions, ranks))

    async def start(self) -> None:
        """Go on above every instant that the ledger has. To be awaited before anything is submitted."""
        latest = await self._ledger.latest_instant()
        self._last_stamp = max(self._last_stamp, latest)

    async def run(self) -> None:
        """Commit batch after batch until `close`, and then what had arrived before it."""
        await self._grouping.run(self._next)
        await self._ranked()

    def close(self) -> None:
        """Accept nothing more; `run` returns when all that was accepted has its outcome."""
        self._grouping.close()

    async def _next(self, batch: Group[Result]) -> None:
        with self._precedence.commit():
            await self._commit(batch)

    async def _commit(self, batch: Group[Result]) -> None:
        """One transaction for all. If the store takes them together but not in any other way, halve until it does."""
        submissions = [s for waiting in batch for s in waiting.submissions]
        self.batches += 1
        self.batched += len(submissions)
        try:
            decision = await self._transact(submissions)
        except Unavailable as error:
            fail(batch, error)
        except Exception:
            log.exception("batch_refused", submissions=len(submissions))
            await self._commit_apart(batch)
        else:
            await self._ranked()
            self._ranking = asyncio.create_task(self._rank_and_answer(batch, submissions, decision))
            await asyncio.sleep(0)  # what needs no server is ranked now; what waits for one, beside the next commit

    async def _rank_and_answer(
        self, batch: Group[Result], submissions: Sequence[Submission], decision: Decision
    ) -> None:
        try:
            results = await self._rank(submissions, decision, place=any(waiting.ranks for waiting in batch))
        except Exception:
            log.exception("rank_failed")  # what is durable is told; repair ranks it from the projection note
            results = [Result(outcome) for outcome in decision.outcomes]
        answer(batch, results)

    async def _ranked(self) -> None:
        """Returns when the last batch is ranked: they are ranked one after another, in the order of their commits."""
        if self._ranking is not None:
            await self._ranking

    async def _commit_apart(self, batch: Group[Result]) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        (waiting,) = batch
        if len(waiting.submissions) == 1:
            answer(batch, [Result(poisoned(waiting.submissions[0]))])
            return
        alone: list[Waiting[Result]] = [Waiting([s], waiting.ranks) for s in waiting.submissions]
        await self._commit(alone)
        await self._ranked()
        try:
            results = [result for one in alone for result in one.results.result()]
        except Unavailable as error:
            fail(batch, error)
        else:
            answer(batch, results)

    async def _transact(self, submissions: Sequence[Submission]) -> Decision:
        until = asyncio.get_running_loop().time() + RETRY_WITHIN_S
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._ledger.transact(submissions, decide)
            except Unavailable as error:
                if asyncio.get_running_loop().time() > until:
                    raise
                log.debug("transaction_failed", code=error.code, detail=error.detail, retry_in_s=pause_s)
                await asyncio.sleep(pause_s)
        return await self._ledger.transact(submissions, decide)
