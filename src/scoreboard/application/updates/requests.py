"""Requests to change a score, as the API contracts decode them."""

from dataclasses import dataclass


@dataclass(slots=True)
class UpdateRequest:
    """A request to change a score, with one of `action`, `increment` and `score`.

    `raw` is the body whose digest the receipt stores; only a request with a key needs it. `metadata` is JSON.
    """

    raw: bytes
    player: str | None = None
    action: str | None = None
    increment: int | None = None
    score: int | None = None
    region: str | None = None
    metadata: bytes | None = None
    key: str | None = None
