"""Work: what was queued is applied, and gets its one outcome. Any number of processes may do so at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.queue import Delivery, Queue
from scoreboard.application.updates.commit import Accept
from scoreboard.application.updates.message_codec import InvalidSignature, MessageCodec
from scoreboard.application.updates.rank import Result
from scoreboard.domain.board import Board
from scoreboard.domain.errors import NotFound, Unavailable
from scoreboard.domain.submission import Submission

log = structlog.get_logger(__name__)

MOST = 50  # messages taken at once; each has up to 500 updates
ATTEMPTS = 5  # of an update that the store does not take, before it becomes a dead letter
POISON = "not_storable"  # the code of what the store does not take, whatever its neighbours
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0  # while the store is away


class Work:
    """A message is done with when all its submissions have their outcomes. It may come again: an outcome that is there
    is kept, by the submission's event."""

    def __init__(self, queue: Queue, directory: Directory, envelope: MessageCodec, accept: Accept) -> None:
        self._queue = queue
        self._directory = directory
        self._envelope = envelope
        self._accept = accept

    async def run(self) -> None:
        """For ever."""
        while True:
            deliveries = await self._queue.take(MOST)
            try:
                await self._work(deliveries)
            except Unavailable as error:
                log.warning("messages_come_again", messages=len(deliveries), code=error.code)

    async def _work(self, deliveries: Sequence[Delivery]) -> None:
        """Raises Unavailable when the queue failed: what it did not hear comes again, and is known by then."""
        opened = [(delivery, found) for delivery in deliveries if (found := await self._opened(delivery))]
        results = await self._applied([submission for _, found in opened for submission in found])
        start, done, again = 0, [], []
        for delivery, found in opened:
            end = start + len(found)
            refused = [s for s, result in zip(found, results[start:end], strict=True) if _not_taken(result)]
            if refused:
                again.append((delivery, refused))
            else:
                done.append(delivery)
            start = end
        await self._queue.done(done)
        for delivery, refused in again:
            await self._again(delivery, refused)

    async def _opened(self, delivery: Delivery) -> Sequence[Submission]:
        body = delivery.message.body
        try:
            submissions = self._envelope.open(body)
        except InvalidSignature as error:
            log.error("message_tampered", reason=str(error))
            reason = f"tampered: {error}"
            await _kept(lambda: self._queue.bury(delivery, body, reason))
            return ()
        boards = {submission.board.number: submission.board for submission in submissions}
        now = {number: await self._now(board) for number, board in boards.items()}
        for submission in submissions:
            submission.board = now[submission.board.number]
        return submissions

    async def _now(self, then: Board) -> Board:
        """The board as it is, or, when it is gone, as it was: another of the same id is not it."""
        try:
            now = await self._directory.board(then.app.app, then.board)
        except NotFound:
            return then
        return now if now.number == then.number else then

    async def _applied(self, submissions: Sequence[Submission]) -> list[Result]:
        """Results, however long the store is away: the messages stay in our hands, and nothing else is taken."""
        pause_s = FIRST_PAUSE_S
        while submissions:
            try:
                return await self._accept.submit(submissions, ranks=False)
            except Unavailable as error:
                if pause_s == FIRST_PAUSE_S:
                    log.warning("store_away", code=error.code, submissions=len(submissions))
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return []

    async def _again(self, delivery: Delivery, refused: Sequence[Submission]) -> None:
        """What the store does not take is taken apart from its neighbours, which have their outcomes."""
        body = self._envelope.seal(refused)
        if delivery.message.attempt < ATTEMPTS:
            await _kept(lambda: self._queue.retry(delivery, body))
        else:
            await _kept(lambda: self._queue.bury(delivery, body, POISON))


async def _kept(put_elsewhere: Callable[[], Awaitable[None]]) -> None:
    """A message goes elsewhere, however long the queue takes nothing: what comes to us may go on meanwhile, and what is
    in our hands does not come again. When it is there no more, nothing is done."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await put_elsewhere()
        except Unavailable as error:
            log.warning("queue_takes_nothing", code=error.code, retry_in_s=round(pause_s, 1))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _not_taken(result: Result) -> bool:
    return result.outcome.code == POISON
