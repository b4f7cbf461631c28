"""The consumer of the queue, which applies queued updates.

Any number of processes may consume at once. Each update gets exactly one outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.queue import Delivery, Queue
from scoreboard.application.updates.commit import GroupCommit, RankedOutcome
from scoreboard.application.updates.message_codec import InvalidSignature, MessageCodec
from scoreboard.application.updates.regions import resolve_regions
from scoreboard.application.updates.rules import RULES, RuleFactory, rules_of
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain.board import Board
from scoreboard.domain.codes import NOT_STORABLE
from scoreboard.domain.errors import NotFound, Unavailable
from scoreboard.domain.submission import Submission

log = structlog.get_logger(__name__)

MAX_MESSAGES = 50  # received at once, each with up to 500 updates
MAX_UPDATES = 500  # committed at once; less than the least allowed limit of pending updates
MAX_ATTEMPTS = 5  # to store an update, before it becomes a dead letter
BACKOFF = Backoff(first_s=0.2, longest_s=10.0)  # while the store or the queue is unreachable


class QueueConsumer:
    """A consumer that acknowledges a message when all its submissions have outcomes.

    A message may be delivered again. A submission whose event has an outcome keeps it.
    """

    def __init__(
        self,
        queue: Queue,
        directory: Directory,
        codec: MessageCodec,
        commit: GroupCommit,
        rules: Sequence[RuleFactory] = RULES,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._queue = queue
        self._directory = directory
        self._codec = codec
        self._commit = commit
        self._rules = rules
        self._backoff = backoff

    async def run(self) -> None:
        """Consume messages until cancelled."""
        while True:
            deliveries = await self._queue.receive(MAX_MESSAGES)
            try:
                await self._process(deliveries)
            except Unavailable as error:
                log.warning("messages_requeued", messages=len(deliveries), code=error.code)

    async def _process(self, deliveries: Sequence[Delivery]) -> None:
        """Apply messages. Raises Unavailable if the queue fails, which redelivers them."""
        decoded = [(delivery, found) for delivery in deliveries if (found := await self._decode(delivery))]
        submissions = [submission for _, found in decoded for submission in found]
        results: list[RankedOutcome] = []
        for start in range(0, len(submissions), MAX_UPDATES):
            results += await self._commit_until_done(submissions[start : start + MAX_UPDATES])
        not_stored = {result.outcome.event for result in results if result.outcome.code == NOT_STORABLE.name}
        done, to_retry = [], []
        for delivery, found in decoded:
            if rejected := [submission for submission in found if submission.event in not_stored]:
                to_retry.append((delivery, rejected))
            else:
                done.append(delivery)
        await self._queue.ack(done)
        for delivery, rejected in to_retry:
            # The other submissions of the message have their outcomes.
            body = self._codec.encode(rejected)
            if delivery.message.attempt < MAX_ATTEMPTS:
                await self._until_done(partial(self._queue.retry, delivery, body))
            else:
                await self._until_done(partial(self._queue.dead_letter, delivery, body, NOT_STORABLE.name))

    async def _decode(self, delivery: Delivery) -> Sequence[Submission]:
        """Return the submissions of a message; none when it became a dead letter."""
        body = delivery.message.body
        try:
            submissions = self._codec.decode(body)
        except InvalidSignature as error:
            log.error("message_tampered", reason=str(error))
            await self._until_done(partial(self._queue.dead_letter, delivery, body, f"tampered: {error}"))
            return ()
        boards = {submission.board.pk: submission.board for submission in submissions}
        current = {pk: await self._current(board) for pk, board in boards.items()}
        for submission in submissions:
            submission.board = current[submission.board.pk]
            submission.rules = rules_of(submission.board, submission.action, self._rules)
        return submissions

    async def _current(self, board: Board) -> Board:
        """Return the current board with this `pk`, or the given one if it was deleted."""
        try:
            current = await self._directory.board(board.app.slug, board.slug)
        except NotFound:
            return board
        return current if current.pk == board.pk else board

    async def _commit_until_done(self, submissions: Sequence[Submission]) -> list[RankedOutcome]:
        """Return the outcomes; retry for as long as the store is unreachable."""
        failures = 0
        while True:
            try:
                await resolve_regions(self._directory, submissions)
                return await self._commit.submit(submissions, ranks=False)
            except Unavailable as error:
                failures += 1
                if failures == 1:
                    log.warning("store_unreachable", code=error.code, submissions=len(submissions))
            await asyncio.sleep(self._backoff.pause_s(failures))

    async def _until_done(self, move: Callable[[], Awaitable[None]]) -> None:
        """Move a message to another queue; retry for as long as the broker is unreachable."""
        failures = 0
        while True:
            try:
                return await move()
            except Unavailable as error:
                failures += 1
                pause_s = self._backoff.pause_s(failures)
                log.warning("queue_consumer_postponed", code=error.code, retry_in_s=round(pause_s, 1))
            await asyncio.sleep(pause_s)
