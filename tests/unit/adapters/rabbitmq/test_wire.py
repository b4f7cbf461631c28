"""Headers of messages on the wire."""

from typing import Any, cast

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from scoreboard.adapters.rabbitmq.wire import pack, unpack
from scoreboard.application.ports.queue import Message


def received(message: aio_pika.Message) -> AbstractIncomingMessage:
    """Return a sent message as if it were delivered; only body and headers are read."""
    return cast("AbstractIncomingMessage", message)


def test_a_message_is_read_as_it_was_sent() -> None:
    message = Message(b"body", "ann", "high", 2)
    assert unpack(received(pack(message))) == message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"lane": "ann", "tier": "low", "attempt": 1}, Message(b"body", "ann", "low", 1)),
        ({}, Message(b"body", "", "normal", 0)),
        ({"partition_key": "ann", "priority": 7, "attempt": "x"}, Message(b"body", "ann", "normal", 0)),
    ],
    ids=["earlier version", "none", "invalid"],
)
def test_headers_of_other_senders_are_read(headers: dict[str, Any], expected: Message) -> None:
    assert unpack(received(aio_pika.Message(b"body", headers=headers))) == expected
