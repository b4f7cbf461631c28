"""Requests to change a score, as the contracts make them."""

from dataclasses import dataclass


@dataclass(slots=True)
class UpdateRequest:
    """A client's request to change a score, with one of `action`, `increment` and `score`.

    `raw` is the body that the idempotency key stands for; it is needed with a key only. `metadata` is JSON.
    """

    raw: bytes
    player: str | None = None
    action: str | None = None
    increment: int | None = None
    score: int | None = None
    region: str | None = None
    metadata: bytes | None = None
    key: str | None = None
