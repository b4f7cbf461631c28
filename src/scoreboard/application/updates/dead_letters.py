"""Dead letters: updates that failed for good, for an operator to look at, send again or drop."""

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

AMONG = 1_000  # of the oldest


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`submissions` is None when the message cannot be opened: it was tampered with, or its key is gone."""

    id: str
    reason: str
    since: int
    attempts: int
    submissions: Sequence[Submission] | None


class DeadLetters:
    def __init__(self, queue: Queue | None, codec: MessageCodec, ledger: Ledger) -> None:
        self._queue = queue
        self._ledger = ledger
        self._codec = codec

    async def list(self, principal: Principal | None, most: int) -> list[DeadLetter]:
        """The oldest; without a queue there are none."""
        authorize_operator(principal, "manage_dead_letters")
        return (
            []
            if self._queue is None
            else [self._opened(letter) for letter in await self._queue.list_dead_letters(most)]
        )

    async def get(self, principal: Principal | None, letter: str) -> DeadLetter:
        """The one of this id, among the oldest. Raises NotFound (`letter_not_found`)."""
        for found in await self.list(principal, AMONG):
            if found.id == letter:
                return found
        raise _letter_not_found()

    async def requeue(self, principal: Principal | None, letter: str) -> None:
        """It is applied as if it had just come; what was applied before is not counted again. Raises NotFound."""
        authorize_operator(principal, "manage_dead_letters")
        await self._dig_up(letter, again=True)

    async def drop(self, principal: Principal | None, letter: str) -> None:
        """Its updates are refused (`dropped`), those that have no outcome yet, and it is gone for good. Raises NotFound
        and Unavailable."""
        submissions = (await self.get(principal, letter)).submissions
        if submissions:
            await self._ledger.transact(submissions, decide_dropped)
        await self._dig_up(letter, again=False)

    async def _dig_up(self, letter: str, *, again: bool) -> None:
        if self._queue is None or not await self._queue.requeue(letter, again=again):
            raise _letter_not_found()

    def _opened(self, letter: StoredDeadLetter) -> DeadLetter:
        try:
            submissions = self._codec.decode(letter.message.body)
        except InvalidSignature:
            submissions = None
        return DeadLetter(letter.id, letter.reason, letter.since, letter.message.attempt, submissions)


def _letter_not_found() -> NotFound:
    return codes.LETTER_NOT_FOUND.error("there is no such dead letter")
