"""The queue port: accepted updates wait as bytes until a worker commits them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from scoreboard.domain.board import Priority

MAX_BODY_BYTES = 128 * 1024  # of a message; every backend accepts this


class Message(NamedTuple):
    """A message with its partition key, priority and number of failed attempts.

    Messages of one partition key and priority are received in the order in which they were published, except retries.
    """

    body: bytes
    partition_key: str
    priority: Priority = "normal"
    attempt: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message in flight: received, but not acknowledged, retried or dead-lettered.

    If this process does none of these, the message is delivered again, here or elsewhere. `tag` is for the backend.
    """

    message: Message
    redelivered: bool
    tag: Any = field(repr=False, default=None)


class StoredDeadLetter(NamedTuple):
    """A dead letter with its id. `since` is in microseconds since 1970."""

    id: str
    message: Message
    reason: str
    since: int


class Queue(Protocol):
    """A queue with priorities and at-least-once delivery.

    Every method except `receive` raises Unavailable (`queue_unavailable`) when the server does not answer in time.
    The operation may still have been done. Repeating it is safe, because messages are delivered at least once. While a
    message moves (`retry`, `dead_letter`, `requeue`), at least one durable copy exists at every moment.
    """

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages. Return when each is durable on a majority of replicas."""

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """Return 1 to `limit` deliveries, as soon as there is one.

        A message of a higher priority is received before waiting ones of a lower priority, which still get a share.
        The call waits until the server recovers from a failure. Cancelling it loses no message.
        """

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge deliveries. They recur only if the acknowledgement is lost."""

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        """Replace a delivery by a message with this body that is delivered after a wait.

        Its attempt is one higher. The wait doubles with each attempt and has jitter.
        """

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        """Replace a delivery by a dead letter with this body."""

    async def list_dead_letters(self, limit: int) -> list[StoredDeadLetter]:
        """Return the oldest dead letters without removing them."""

    async def requeue(self, letter_id: str, *, again: bool) -> bool:
        """Publish a dead letter `again`, or drop it. Return False if there is none."""

    async def count_dead_letters(self) -> int:
        """Return the number of dead letters, except those that are being listed just now."""

    async def count_waiting(self) -> int:
        """Return the number of messages that wait, without retries and dead letters."""
