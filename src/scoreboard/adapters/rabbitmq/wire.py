"""Messages of the port as messages of AMQP, and back."""

import uuid
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from scoreboard.application.ports.queue import MAX_BODY_BYTES, Message, StoredDeadLetter

MAX_REASON_CHARS = 1_000


def pack(message: Message, **headers: Any) -> aio_pika.Message:
    """Persistent, with all but the body in headers. Raises ValueError for a body greater than MAX_BODY_BYTES."""
    if len(message.body) > MAX_BODY_BYTES:
        raise ValueError(f"a message is at most {MAX_BODY_BYTES} bytes")
    return aio_pika.Message(
        message.body,
        headers={"lane": message.partition_key, "tier": message.priority, "attempt": message.attempt, **headers},
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=uuid.uuid4().hex,
    )


def pack_dead_letter(message: Message, reason: str, since: int) -> aio_pika.Message:
    return pack(message, reason=reason[:MAX_REASON_CHARS], since=since)


def unpack(incoming: AbstractIncomingMessage) -> Message:
    """Whoever sent it: what is missing or odd in the headers is taken for nothing said."""
    headers: Any = incoming.headers
    attempt, tier = headers.get("attempt"), headers.get("tier")
    return Message(
        incoming.body,
        str(headers.get("lane", "")),
        tier if tier in {"high", "low"} else "normal",
        attempt if isinstance(attempt, int) and attempt > 0 else 0,
    )


def unpack_dead_letter(incoming: AbstractIncomingMessage) -> StoredDeadLetter:
    """A dead letter of ours, or one that the broker made."""
    headers: Any = incoming.headers
    reason = headers.get("reason", headers.get("x-first-death-reason", "unknown"))
    since = headers.get("since")
    if not isinstance(since, int):
        since = sum(round(death["time"].timestamp() * 1e6) for death in headers.get("x-death", ())[:1])
    return StoredDeadLetter(incoming.message_id or "", unpack(incoming), str(reason), since)
