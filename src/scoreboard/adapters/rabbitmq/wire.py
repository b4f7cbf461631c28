"""Conversions between the messages of the port and those of AMQP."""

import uuid
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from scoreboard.application.ports.queue import MAX_BODY_BYTES, Message, StoredDeadLetter


def pack(message: Message, **headers: Any) -> aio_pika.Message:
    """Return a persistent message. Raise ValueError for a body that is too large."""
    if len(message.body) > MAX_BODY_BYTES:
        raise ValueError(f"a message is at most {MAX_BODY_BYTES} bytes")
    headers |= {"partition_key": message.partition_key, "priority": message.priority, "attempt": message.attempt}
    return aio_pika.Message(
        message.body,
        headers=headers,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=uuid.uuid4().hex,
    )


def unpack(incoming: AbstractIncomingMessage) -> Message:
    """Return a message from any sender, with defaults for missing and invalid headers.

    Earlier versions named the headers `lane` and `tier`.
    """
    headers: Any = incoming.headers
    attempt, priority = headers.get("attempt"), headers.get("priority", headers.get("tier"))
    return Message(
        incoming.body,
        str(headers.get("partition_key", headers.get("lane", ""))),
        priority if priority in {"high", "low"} else "normal",
        attempt if isinstance(attempt, int) and attempt > 0 else 0,
    )


def unpack_dead_letter(incoming: AbstractIncomingMessage) -> StoredDeadLetter:
    """Return a dead letter that a worker or the broker created."""
    headers: Any = incoming.headers
    reason = headers.get("reason", headers.get("x-first-death-reason", "unknown"))
    since = headers.get("since")
    if not isinstance(since, int):
        since = sum(round(death["time"].timestamp() * 1e6) for death in headers.get("x-death", ())[:1])
    return StoredDeadLetter(incoming.message_id or "", unpack(incoming), str(reason), since)
