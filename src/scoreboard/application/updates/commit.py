"""Group commit: the path of an update after `submit.py`.

Requests that arrive together share a transaction. A batch is committed, its standings are ranked, and the tables whose
top N may have changed are published. While one batch is ranked, the next is committed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.application.ports.ranking import NotRanked, RankChange, Ranking, RankState
from scoreboard.application.updates.batching import Batch, Batcher, BatchLimits, PendingRequest, complete, fail
from scoreboard.application.updates.decide import decide, refuse_unstorable
from scoreboard.application.updates.late_projection import LateProjection
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CommitRetries:
    """The retries of a transaction whose outcome is unknown, and of late projections.

    There is one retry after each of `pauses_s`, but none once the store has taken longer than `within_s`. Standings
    that could not be ranked are retried every `projection_s`.
    """

    pauses_s: tuple[float, ...] = (0.05, 0.2, 0.5)
    within_s: float = 2.0
    projection_s: float = 0.1


DEFAULT_RETRIES = CommitRetries()


class RankedOutcome(NamedTuple):
    """An outcome, and the player's new rank: None unless the state is `exact`."""

    outcome: Outcome
    rank: RankChange | None = None
    rank_state: RankState = "unavailable"


class GroupCommit:
    """The single committer of a process: it commits, ranks and publishes submissions.

    `idle` is cleared while a transaction runs, so that a fan-out in the same process can wait for it. `batches`
    counts the attempted transactions, and `batched` the submissions in them.
    """

    def __init__(
        self,
        ledger: Ledger,
        ranking: Ranking,
        publisher: Publisher,
        clock: Clock,
        limits: BatchLimits,
        idle: asyncio.Event,
        retries: CommitRetries = DEFAULT_RETRIES,
    ) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publisher = publisher
        self._clock = clock
        self._idle = idle
        self._retries = retries
        self.batcher: Batcher[RankedOutcome] = Batcher(limits)
        self._last_stamp = 0
        self._projection: asyncio.Task[None] | None = None
        self.late = LateProjection(ranking, publisher, retries.projection_s)
        self.batches = self.batched = 0

    @property
    def pending(self) -> int:
        """The number of submissions that wait for a transaction or are in one."""
        return self.batcher.pending

    def stamp(self) -> int:
        """Return an `accepted_at` after the last one, even if the clock is set back."""
        self._last_stamp = max(self._clock(), self._last_stamp + 1)
        return self._last_stamp

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[RankedOutcome]:
        """Return the outcomes once they are durable, with ranks on request.

        Cancelling the caller does not withdraw its submissions. Raises Unavailable when too many are pending, or when
        the store failed. Then the outcome may be unknown, and a retry under the same key returns it.
        """
        return await self.batcher.join(submissions, ranks=ranks)

    async def start(self) -> None:
        """Continue after the latest instant in the ledger. Await this before `submit`."""
        self._last_stamp = max(self._last_stamp, await self._ledger.latest_instant())

    async def run(self) -> None:
        """Commit batches until `close`, and then the submissions that arrived before it."""
        await self.batcher.run(self._commit)
        await self._wait_for_projection()

    def close(self) -> None:
        """Refuse new submissions. `run` returns when all earlier ones have an outcome."""
        self.batcher.close()

    # Commit

    async def _commit(self, batch: Batch[RankedOutcome]) -> None:
        """Commit a batch in one transaction. If the store rejects it, bisect it."""
        submissions = [submission for request in batch for submission in request.submissions]
        self.batches += 1
        self.batched += len(submissions)
        try:
            decision = await self._transact(submissions)
        except Unavailable as error:
            fail(batch, error)
        except Exception:
            log.exception("batch_refused", submissions=len(submissions))
            await self._bisect(batch)
        else:
            await self._wait_for_projection()
            self._projection = asyncio.create_task(self._project(batch, submissions, decision))
            # A ranking in this process finishes in this step. One on a server works during the next commit.
            await asyncio.sleep(0)

    async def _transact(self, submissions: Sequence[Submission]) -> Decision:
        """Run a transaction; retry it under the same event ids if its outcome is unknown."""
        until = asyncio.get_running_loop().time() + self._retries.within_s
        pauses_s = iter(self._retries.pauses_s)
        while True:
            self._idle.clear()
            try:
                return await self._ledger.transact(submissions, decide)
            except Unavailable as error:
                pause_s = next(pauses_s, None)
                if pause_s is None or asyncio.get_running_loop().time() > until:
                    raise
                log.debug("transaction_failed", code=error.code, detail=error.detail, retry_in_s=pause_s)
            finally:
                self._idle.set()
            await asyncio.sleep(pause_s)

    async def _bisect(self, batch: Batch[RankedOutcome]) -> None:
        """Commit the halves of a batch; refuse a submission that is rejected alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        (request,) = batch
        if len(request.submissions) == 1:
            complete(batch, [RankedOutcome(refuse_unstorable(request.submissions[0]))])
            return
        new_future = asyncio.get_running_loop().create_future
        parts = [PendingRequest[RankedOutcome]([s], request.ranks, new_future()) for s in request.submissions]
        await self._commit(parts)
        await self._wait_for_projection()
        try:
            results = [result for part in parts for result in part.results.result()]
        except Unavailable as error:
            fail(batch, error)
        else:
            complete(batch, results)

    # Project

    async def _wait_for_projection(self) -> None:
        """Wait until the last batch is ranked, so that batches are ranked in order."""
        if self._projection is not None:
            await self._projection

    async def _project(
        self, batch: Batch[RankedOutcome], submissions: Sequence[Submission], decision: Decision
    ) -> None:
        """Rank a committed batch, acknowledge its projection, and return the results."""
        boards = {submission.board.pk: submission.board for submission in submissions}
        place = any(request.ranks for request in batch)
        tables: dict[TableKey, TableRanks] = {}
        try:
            ranking = [
                self._rank(key, boards[key.board], standings, decision, place=place)
                for key, standings in decision.to_rank.items()
            ]
            # Most batches change a single table, which does not need a task.
            ranked = [await ranking[0]] if len(ranking) == 1 else await asyncio.gather(*ranking)
            tables = dict(zip(decision.to_rank, ranked, strict=True))
            if decision.projection_id and all(table.projected for table in ranked):
                await self._ledger.ack_projections((decision.projection_id,))
        except Unavailable:
            pass  # The repair job ranks these standings a second time, which is harmless.
        except Exception:
            log.exception("projection_failed")  # The batch is durable, and the repair job ranks it.
        if place:
            complete(batch, [_with_rank(outcome, tables) for outcome in decision.outcomes])
        else:
            complete(batch, [RankedOutcome(outcome) for outcome in decision.outcomes])

    async def _rank(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], decision: Decision, *, place: bool
    ) -> "TableRanks":
        """Rank and publish the standings of one table, without failing the update."""
        try:
            changes = await self._ranking.apply(key, board, standings, place=place)
        except NotRanked as error:  # The table is being built from the totals, which have these standings.
            self._publisher.changed(board, key)  # The publisher retries until the table can be read.
            return TableRanks({}, error.state, projected=True)
        except Unavailable:
            self.late.add(key, board, standings)
            return TableRanks({}, "unavailable", projected=False)
        except Exception:
            log.exception("ranking_failed", table=key)
            return TableRanks({}, "unavailable", projected=False)
        if key in decision.standings or key in decision.unconfirmed_tables:
            self._publisher.changed(board, key)
        return TableRanks(changes, "exact", projected=True)


class TableRanks(NamedTuple):
    """The rank changes of a batch in one table, by player.

    `projected` is set when the ranking has the standings, or will load them from the totals.
    """

    changes: Mapping[str, RankChange]
    state: RankState
    projected: bool


NOT_RANKED = TableRanks({}, "unavailable", projected=False)


def _with_rank(outcome: Outcome, tables: Mapping[TableKey, TableRanks]) -> RankedOutcome:
    table = tables.get(TableKey(outcome.board, outcome.season, WORLD), NOT_RANKED)
    rank = table.changes.get(outcome.player)
    if rank is not None:
        return RankedOutcome(outcome, rank, "exact")
    # An exact table without this player's rank caches only its best standings.
    return RankedOutcome(outcome, None, "out_of_range" if table.state == "exact" else table.state)
