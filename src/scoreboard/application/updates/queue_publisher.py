"""QueuePublisher: accept for updates that are applied later. Returns when the queue cannot lose them."""

from collections.abc import Sequence

from scoreboard.application.ports.queue import Queue
from scoreboard.application.updates.batching import Batcher, Bounds, Group, Waiting, answer, fail
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission


class QueuePublisher:
    """Updates that arrive together are put together, many in a message. `run` is the one worker."""

    def __init__(self, queue: Queue, envelope: MessageCodec, bounds: Bounds) -> None:
        self._queue = queue
        self._envelope = envelope
        self._grouping: Batcher[Outcome] = Batcher(bounds)

    @property
    def pending(self) -> int:
        """Submissions that are not in the queue yet."""
        return self._grouping.pending

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Each `pending`, once it cannot be lost. Raises Unavailable when there is no room, and when the queue failed:
        then they may be in it all the same."""
        return await self._grouping.join(Waiting(submissions))

    async def run(self) -> None:
        """Put group after group until `close`, and then what had arrived before it."""
        await self._grouping.run(self._put)

    def close(self) -> None:
        """Take nothing more; `run` returns when all that was taken is in the queue."""
        self._grouping.close()

    async def _put(self, group: Group[Outcome]) -> None:
        submissions = [submission for waiting in group for submission in waiting.submissions]
        try:
            await self._queue.put(self._envelope.messages(submissions))
        except Unavailable as error:
            fail(group, error)
        else:
            answer(group, [_pending(submission) for submission in submissions])


def _pending(submission: Submission) -> Outcome:
    return Outcome(
        submission.event,
        submission.board.number,
        submission.player,
        submission.season,
        submission.accepted_at,
        "pending",
    )
