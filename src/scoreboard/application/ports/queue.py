"""The queue between accept and apply, where there is one. It carries bytes; what they mean is the pipeline's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from scoreboard.domain.board import Priority

MAX_BODY_BYTES = 128 * 1024  # of a message: what every backend takes


class Message(NamedTuple):
    """`lane` keeps messages in order: those of one lane and tier are taken in the order in which they were put, but
    for retries. `attempt` counts the times it failed."""

    body: bytes
    partition_key: str
    priority: Priority = "normal"
    attempt: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message in the hands of this process until it is `done`, sent again or buried; else it comes back, to this
    process or another. `tag` is the backend's own."""

    message: Message
    redelivered: bool
    tag: Any = field(repr=False, default=None)


class StoredDeadLetter(NamedTuple):
    """A dead letter. `id` names it for as long as it is there; `since` in microseconds since 1970."""

    id: str
    message: Message
    reason: str
    since: int


class Queue(Protocol):
    """Every method but `take` raises Unavailable (`queue_unavailable`) when the server cannot be reached in time; then
    what it was to do may have been done, and doing it again is harmless: messages come at least once."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returning means that none of them can be lost: each is in a durable queue, on a majority of its replicas."""
        ...

    async def receive(self, most: int) -> Sequence[Delivery]:
        """At least one and at most `most` deliveries, as soon as there is one; waits through failures of the server.
        A higher tier comes before what waits of a lower one, which still gets its share. Cancelling loses nothing."""
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """They have their outcome: they do not come again (unless the server did not hear it)."""
        ...

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        """Send this instead of the delivery, with its attempt one higher, after a wait that doubles with each attempt
        and has jitter. Nothing of it is in nobody's hands meanwhile."""
        ...

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        """Put this among the dead letters instead of the delivery."""
        ...

    async def list_dead_letters(self, most: int) -> list[StoredDeadLetter]:
        """The oldest dead letters; they stay."""
        ...

    async def requeue(self, letter: str, *, again: bool) -> bool:
        """Take the dead letter of this id out, to be taken `again` as a new message or dropped for good. False when it
        is not there."""
        ...

    async def count_dead_letters(self) -> int:
        """How many dead letters there are, but for what is being looked at just now."""
        ...

    async def count_waiting(self) -> int:
        """How many messages wait to be taken, those for a retry and dead letters apart."""
        ...
