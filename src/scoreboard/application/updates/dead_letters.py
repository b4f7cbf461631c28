"""Dead letters: failed updates that an operator lists, requeues or drops."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoreboard.application.identity.authorization import authorize_operator
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.queue import Queue, StoredDeadLetter
from scoreboard.application.updates.decide import decide_dropped
from scoreboard.application.updates.message_codec import InvalidSignature, MessageCodec
from scoreboard.domain import codes
from scoreboard.domain.errors import NotFound
from scoreboard.domain.submission import Submission

MAX_LISTED = 1_000  # the oldest dead letters, among which `get` looks for an id


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter with its submissions.

    `submissions` is None for a message that was changed, or whose key was removed.
    """

    id: str
    reason: str
    since: int
    attempts: int
    submissions: Sequence[Submission] | None


class DeadLetters:
    """Use cases of the operator. Without a queue there are no dead letters."""

    def __init__(self, queue: Queue | None, codec: MessageCodec, ledger: Ledger) -> None:
        self._queue = queue
        self._ledger = ledger
        self._codec = codec

    async def list(self, principal: Principal | None, limit: int) -> list[DeadLetter]:
        """Return the oldest dead letters. Raises Unavailable."""
        authorize_operator(principal, "manage_dead_letters")
        letters = [] if self._queue is None else await self._queue.list_dead_letters(limit)
        return [self._decode(letter) for letter in letters]

    async def get(self, principal: Principal | None, letter_id: str) -> DeadLetter:
        """Return one of the oldest dead letters. Raises NotFound (`letter_not_found`)."""
        for found in await self.list(principal, MAX_LISTED):
            if found.id == letter_id:
                return found
        raise _letter_not_found()

    async def requeue(self, principal: Principal | None, letter_id: str) -> None:
        """Publish a dead letter as a new message. Raises NotFound.

        Its updates that were applied earlier are not counted again.
        """
        authorize_operator(principal, "manage_dead_letters")
        await self._remove(letter_id, again=True)

    async def drop(self, principal: Principal | None, letter_id: str) -> None:
        """Refuse the updates of a dead letter (`dropped`), and delete it.

        Updates that have an outcome keep it. Raises NotFound and Unavailable.
        """
        submissions = (await self.get(principal, letter_id)).submissions
        if submissions:
            await self._ledger.transact(submissions, decide_dropped)
        await self._remove(letter_id, again=False)

    async def _remove(self, letter_id: str, *, again: bool) -> None:
        if self._queue is None or not await self._queue.requeue(letter_id, again=again):
            raise _letter_not_found()

    def _decode(self, letter: StoredDeadLetter) -> DeadLetter:
        try:
            submissions = self._codec.decode(letter.message.body)
        except InvalidSignature:
            submissions = None
        return DeadLetter(letter.id, letter.reason, letter.since, letter.message.attempt, submissions)


def _letter_not_found() -> NotFound:
    return codes.LETTER_NOT_FOUND.error("there is no such dead letter")
