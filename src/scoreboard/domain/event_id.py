"""Event ids: UUIDv7 (RFC 9562) with the microsecond in the bits after the version.

These bits hold sub-millisecond precision by method 3 of the RFC. So event ids sort by `accepted_at`, and each contains
its `accepted_at` to the microsecond.
"""

import hashlib
import hmac
from typing import NewType

from scoreboard.domain import codes

EventId = NewType("EventId", bytes)

RANDOM_BITS = 62
_VARIANT = 0b10 << RANDOM_BITS


def make(accepted_at: int, randomness: int) -> EventId:
    """Return an id for an instant in microseconds since 1970 and 62 random bits."""
    ms, us = divmod(accepted_at, 1000)
    return EventId((ms << 80 | 0x7 << 76 | us << 64 | _VARIANT | randomness).to_bytes(16, "big"))


SIGNATURE_BITS = 32  # the random bits that a signature replaces, in the id of a queued event


def make_signed(accepted_at: int, randomness: int, key: bytes, app: int) -> EventId:
    """Return an id that `is_signed` can verify without a stored copy.

    The signature replaces the last bits of `randomness`.
    """
    event = make(accepted_at, randomness >> SIGNATURE_BITS << SIGNATURE_BITS)
    return EventId(event[:-4] + _signature(event, key, app))


def is_signed(event: EventId, key: bytes, app: int) -> bool:
    """Return whether `make_signed` made this id with this key for this app."""
    return hmac.compare_digest(event[-4:], _signature(event, key, app))


def _signature(event: EventId, key: bytes, app: int) -> bytes:
    return hashlib.blake2b(event[:-4], digest_size=4, key=key[:64], salt=app.to_bytes(16, "big")).digest()


def accepted_at(event: EventId) -> int:
    """Return the instant in an id, in microseconds since 1970."""
    head = int.from_bytes(event[:8], "big")
    return (head >> 16) * 1000 + (head & 0xFFF)


def to_text(event: EventId) -> str:
    h = event.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def from_text(text: str) -> EventId:
    """Parse an event id. Raises Invalid unless it is a UUIDv7 with its hyphens."""
    try:
        event = EventId(bytes.fromhex(text.replace("-", "")))
    except ValueError:
        event = EventId(b"")
    if len(event) != 16 or event[6] >> 4 != 7 or event[8] >> 6 != 2 or to_text(event) != text.lower():
        raise codes.INVALID_EVENT.error("an event id must be a UUIDv7; use the one in the response to an update")
    return event
