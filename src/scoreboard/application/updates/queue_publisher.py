"""The route through the queue: updates are published to it, and applied by a consumer."""

from collections.abc import Sequence

from scoreboard.application.ports.queue import Queue
from scoreboard.application.updates.batching import Batch, Batcher, BatchLimits, answer, fail
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission


class QueuePublisher:
    """Publishes updates that arrive together in few messages. `run` is its one worker."""

    def __init__(self, queue: Queue, codec: MessageCodec, limits: BatchLimits) -> None:
        self.queue = queue
        self.codec = codec
        self._batcher: Batcher[Outcome] = Batcher(limits)

    @property
    def pending(self) -> int:
        """The submissions that are not in the queue yet."""
        return self._batcher.pending

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Return a `pending` outcome for each, once it cannot be lost.

        Raise Unavailable when there is no room, or when the queue failed: then they may be in it all the same.
        """
        return await self._batcher.join(submissions)

    async def run(self) -> None:
        """Publish batch after batch until `close`, and then what arrived before it."""
        await self._batcher.run(self._publish)

    def close(self) -> None:
        """Accept nothing more. `run` returns when all that was accepted is in the queue."""
        self._batcher.close()

    async def _publish(self, batch: Batch[Outcome]) -> None:
        submissions = [submission for request in batch for submission in request.submissions]
        try:
            await self.queue.publish(self.codec.messages(submissions))
        except Unavailable as error:
            fail(batch, error)
        else:
            answer(batch, [_pending(submission) for submission in submissions])


def _pending(submission: Submission) -> Outcome:
    return Outcome(
        submission.event,
        submission.board.pk,
        submission.player,
        submission.season,
        submission.accepted_at,
        "pending",
    )
