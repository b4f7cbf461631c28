"""The consumer of the queue: queued updates are applied, and each gets its one outcome.

Any number of processes may consume at once.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.queue import Delivery, Queue
from scoreboard.application.updates.commit import GroupCommit, RankedOutcome
from scoreboard.application.updates.message_codec import InvalidSignature, MessageCodec
from scoreboard.application.updates.regions import resolve_regions
from scoreboard.application.updates.rules import RULES, RuleFactory, rules_of
from scoreboard.domain.board import Board
from scoreboard.domain.errors import NotFound, Unavailable
from scoreboard.domain.submission import Submission

log = structlog.get_logger(__name__)

MOST = 50  # messages taken at once; each has up to 500 updates
TOGETHER = 500  # updates that are committed at once; fewer than may wait for a transaction at any setting
ATTEMPTS = 5  # of an update that the store does not take, before it becomes a dead letter
POISON = "not_storable"  # the code of what the store does not take, alone or with others
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0  # while the store is unreachable


class QueueConsumer:
    """Acknowledges a message when all its submissions have their outcomes.

    A message may be delivered again: a submission that has an outcome, by its event, keeps it.
    """

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        codec: MessageCodec,
        commit: GroupCommit,
        rules: Sequence[RuleFactory] = RULES,
    ) -> None:
        self._queue = queue
        self._directory = directory
        self._codec = codec
        self._commit = commit
        self._rules = rules

    async def run(self) -> None:
        """Consume messages until cancelled."""
        while True:
            deliveries = await self._queue.receive(MOST)
            try:
                await self._work(deliveries)
            except Unavailable as error:
                log.warning("messages_requeued", messages=len(deliveries), code=error.code)

    async def _work(self, deliveries: Sequence[Delivery]) -> None:
        """Apply messages. Raise Unavailable when the queue failed: what is not acknowledged is delivered again."""
        opened = [(delivery, found) for delivery in deliveries if (found := await self._opened(delivery))]
        submissions = [submission for _, found in opened for submission in found]
        results: list[RankedOutcome] = []
        for at in range(0, len(submissions), TOGETHER):
            results += await self._applied(submissions[at : at + TOGETHER])
        start, done, again = 0, [], []
        for delivery, found in opened:
            end = start + len(found)
            refused = [s for s, result in zip(found, results[start:end], strict=True) if _not_taken(result)]
            if refused:
                again.append((delivery, refused))
            else:
                done.append(delivery)
            start = end
        await self._queue.ack(done)
        for delivery, refused in again:
            await self._again(delivery, refused)

    async def _opened(self, delivery: Delivery) -> Sequence[Submission]:
        body = delivery.message.body
        try:
            submissions = self._codec.decode(body)
        except InvalidSignature as error:
            log.error("message_tampered", reason=str(error))
            reason = f"tampered: {error}"
            await _until_done(lambda: self._queue.dead_letter(delivery, body, reason))
            return ()
        boards = {submission.board.pk: submission.board for submission in submissions}
        now = {number: await self._now(board) for number, board in boards.items()}
        for submission in submissions:
            submission.board = now[submission.board.pk]
            submission.rules = rules_of(submission.board, submission.action, self._rules)
        return submissions

    async def _now(self, then: Board) -> Board:
        """Return the board as it is now. One that was deleted stays as it was; another of the same id is not it."""
        try:
            now = await self._directory.board(then.app.slug, then.slug)
        except NotFound:
            return then
        return now if now.pk == then.pk else then

    async def _applied(self, submissions: Sequence[Submission]) -> list[RankedOutcome]:
        """Return the outcomes, however long the store is unreachable. Until then no other message is received."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await resolve_regions(self._directory, submissions)
                return await self._commit.submit(submissions, ranks=False)
            except Unavailable as error:
                if pause_s == FIRST_PAUSE_S:
                    log.warning("store_unreachable", code=error.code, submissions=len(submissions))
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _again(self, delivery: Delivery, refused: Sequence[Submission]) -> None:
        """Retry what the store does not take apart from its neighbours, which have their outcomes."""
        body = self._codec.encode(refused)
        if delivery.message.attempt < ATTEMPTS:
            await _until_done(lambda: self._queue.retry(delivery, body))
        else:
            await _until_done(lambda: self._queue.dead_letter(delivery, body, POISON))


async def _until_done(move: Callable[[], Awaitable[None]]) -> None:
    """Move a message elsewhere, however long the queue accepts nothing. A message that is gone needs nothing."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await move()
        except Unavailable as error:
            log.warning("queue_takes_nothing", code=error.code, retry_in_s=round(pause_s, 1))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _not_taken(result: RankedOutcome) -> bool:
    return result.outcome.code == POISON
