"""The path of an update from `submit.py` on: commit, project, publish.

Requests that arrive together share a transaction (group commit). A batch is committed, its standings are ranked, and
the boards whose top N may have changed are published. While one batch is ranked the next is committed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.application.ports.ranking import NotRanked, RankChange, Ranking, RankState
from scoreboard.application.updates.batching import Batch, Batcher, BatchLimits, PendingRequest, answer, fail
from scoreboard.application.updates.decide import decide, poisoned
from scoreboard.application.updates.late_projection import LateProjection
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

log = structlog.get_logger(__name__)

RETRY_WITHIN_S = 2.0  # a store that takes longer than this to fail is not tried again
RETRY_PAUSES_S = (0.05, 0.2, 0.5)  # before a transaction whose outcome is unknown is tried again, under the same ids


class RankedOutcome(NamedTuple):
    """An outcome, and the rank it led to in the world's table. `rank` is None unless the state is `exact`."""

    outcome: Outcome
    rank: RankChange | None = None
    rank_state: RankState = "unavailable"


class GroupCommit:
    """Makes submissions durable, ranks them and publishes the change. `run` is its one worker.

    `idle` is cleared while a transaction runs, so that a fan-out in the same process can wait for it. `batches`
    counts the transactions tried, `batched` the submissions in them.
    """

    def __init__(
        self,
        ledger: Ledger,
        ranking: Ranking,
        publisher: Publisher,
        clock: Clock,
        limits: BatchLimits,
        idle: asyncio.Event,
    ) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publisher = publisher
        self._clock = clock
        self._idle = idle
        self.batcher: Batcher[RankedOutcome] = Batcher(limits)
        self._last_stamp = 0
        self._projecting: asyncio.Task[None] | None = None
        self.late = LateProjection(ranking, publisher)
        self.batches = self.batched = 0

    @property
    def pending(self) -> int:
        """The submissions that wait for a transaction, or are in one."""
        return self.batcher.pending

    def stamp(self) -> int:
        """Return an `accepted_at`: the clock's, and always later than the one before, even if the clock goes back."""
        self._last_stamp = max(self._clock(), self._last_stamp + 1)
        return self._last_stamp

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[RankedOutcome]:
        """Return the outcomes once they are durable, with ranks where asked for.

        A caller that is cancelled takes nothing back. Raise Unavailable when there is no room, or when the store
        failed: then the outcome may be unknown, and a retry under the same key finds out.
        """
        return await self.batcher.join(submissions, ranks=ranks)

    async def start(self) -> None:
        """Continue above every instant in the ledger. To be awaited before anything is submitted."""
        self._last_stamp = max(self._last_stamp, await self._ledger.latest_instant())

    async def run(self) -> None:
        """Commit batch after batch until `close`, and then what arrived before it."""
        await self.batcher.run(self._commit)
        await self._projected()

    def close(self) -> None:
        """Accept nothing more. `run` returns when all that was accepted has its outcome."""
        self.batcher.close()

    # Commit

    async def _commit(self, batch: Batch[RankedOutcome]) -> None:
        """Commit a batch in one transaction. If the store refuses it as a whole, halve it until the store takes it."""
        submissions = [submission for request in batch for submission in request.submissions]
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
            await self._projected()
            self._projecting = asyncio.create_task(self._project(batch, submissions, decision))
            await asyncio.sleep(0)  # a ranking in this process is done now; one on a server, beside the next commit

    async def _transact(self, submissions: Sequence[Submission]) -> Decision:
        """Retry a transaction whose outcome is unknown, under the same event ids."""
        until = asyncio.get_running_loop().time() + RETRY_WITHIN_S
        pauses_s = iter(RETRY_PAUSES_S)
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

    async def _commit_apart(self, batch: Batch[RankedOutcome]) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        (request,) = batch
        if len(request.submissions) == 1:
            answer(batch, [RankedOutcome(poisoned(request.submissions[0]))])
            return
        new_future = asyncio.get_running_loop().create_future
        alone = [PendingRequest[RankedOutcome]([one], request.ranks, new_future()) for one in request.submissions]
        await self._commit(alone)
        await self._projected()
        try:
            results = [result for one in alone for result in one.results.result()]
        except Unavailable as error:
            fail(batch, error)
        else:
            answer(batch, results)

    # Project

    async def _projected(self) -> None:
        """Return when the last batch is ranked. Batches are ranked one after another, in the order of their commits."""
        if self._projecting is not None:
            await self._projecting

    async def _project(
        self, batch: Batch[RankedOutcome], submissions: Sequence[Submission], decision: Decision
    ) -> None:
        """Rank the standings of a committed batch, acknowledge its note, and answer its requests."""
        boards = {submission.board.pk: submission.board for submission in submissions}
        place = any(request.ranks for request in batch)
        tables: dict[TableKey, TableRanks] = {}
        try:
            ranking = [
                self._rank(key, boards[key.board], standings, decision, place=place)
                for key, standings in decision.to_rank.items()
            ]
            # Most batches are of one table, which is not worth a task.
            ranked = [await ranking[0]] if len(ranking) == 1 else await asyncio.gather(*ranking)
            tables = dict(zip(decision.to_rank, ranked, strict=True))
            if decision.projection_id and all(table.projected for table in ranked):
                await self._ledger.ack_projections((decision.projection_id,))
        except Unavailable:
            pass  # the repair job ranks again what is ranked, which is harmless
        except Exception:
            log.exception("projection_failed")  # the batch is durable, and the repair job ranks it from its note
        if place:
            answer(batch, [_with_rank(outcome, tables) for outcome in decision.outcomes])
        else:
            answer(batch, [RankedOutcome(outcome) for outcome in decision.outcomes])

    async def _rank(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], decision: Decision, *, place: bool
    ) -> "TableRanks":
        """Rank the standings of one table, and publish it if they changed. A failure here cannot fail an update."""
        try:
            changes = await self._ranking.apply(key, board, standings, place=place)
        except NotRanked as error:  # the table is being built from the totals, which have these standings
            self._publisher.changed(board, key)  # it is read again until it can be
            return TableRanks({}, error.state, projected=True)
        except Unavailable:
            self.late.add(key, board, standings)
            return TableRanks({}, "unavailable", projected=False)
        except Exception:
            log.exception("ranking_failed", table=key)
            return TableRanks({}, "unavailable", projected=False)
        # Publish.
        if key in decision.standings or key in decision.unconfirmed_tables:
            self._publisher.changed(board, key)
        return TableRanks(changes, "exact", projected=True)


class TableRanks(NamedTuple):
    """The ranks of a batch in one table, by player. `projected`: the ranking has its standings, or will have them."""

    changes: Mapping[str, RankChange]
    state: RankState
    projected: bool


NOT_RANKED = TableRanks({}, "unavailable", projected=False)


def _with_rank(outcome: Outcome, tables: Mapping[TableKey, TableRanks]) -> RankedOutcome:
    table = tables.get(TableKey(outcome.board, outcome.season, WORLD), NOT_RANKED)
    rank = table.changes.get(outcome.player)
    if rank is not None:
        return RankedOutcome(outcome, rank, "exact")
    # An exact table without this player's rank keeps only its best.
    return RankedOutcome(outcome, None, "out_of_range" if table.state == "exact" else table.state)
