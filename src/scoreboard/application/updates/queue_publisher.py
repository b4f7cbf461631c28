"""The route of updates through the queue, where a consumer applies them later."""

from collections.abc import Sequence

from scoreboard.application.ports.queue import Queue
from scoreboard.application.updates.batching import Batch, Batcher, BatchLimits, complete, fail
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission


class QueuePublisher:
    """A publisher that combines updates into messages, in the single task `run`."""

    def __init__(self, queue: Queue, codec: MessageCodec, limits: BatchLimits) -> None:
        self.queue = queue
        self.codec = codec
        self._batcher: Batcher[Outcome] = Batcher(limits)

    @property
    def pending(self) -> int:
        """The number of submissions that are not in the queue yet."""
        return self._batcher.pending

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Return a `pending` outcome for each submission, once none can be lost.

        Raises Unavailable when too many are pending, or when the queue failed. Then some may still be in the queue.
        """
        return await self._batcher.join(submissions)

    async def run(self) -> None:
        """Publish batches until `close`, and then the submissions that arrived before it."""
        await self._batcher.run(self._publish)

    def close(self) -> None:
        """Refuse new submissions. `run` returns when all earlier ones are in the queue."""
        self._batcher.close()

    async def _publish(self, batch: Batch[Outcome]) -> None:
        submissions = [submission for request in batch for submission in request.submissions]
        try:
            await self.queue.publish(self.codec.messages(submissions))
        except Unavailable as error:
            fail(batch, error)
        else:
            complete(
                batch,
                [Outcome(s.event, s.board.pk, s.player, s.season, s.accepted_at, "pending") for s in submissions],
            )
