"""Python client of Scoreboard: exactly-once updates, reads and live boards.

    from scoreboard.client import Scoreboard

    with Scoreboard("http://127.0.0.1:8000", app="shop", token=TOKEN) as scoreboard:
        print(scoreboard.update("main", "alice", increment=5).rank)

`Scoreboard` is for programs with threads, `AsyncScoreboard` for programs with asyncio. Both have the same methods. The
client needs only this package and aiohttp. docs/how-to/python-client.md has examples.
"""

from scoreboard.client.aio import AsyncScoreboard
from scoreboard.client.errors import (
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    ScoreboardClientError,
    TransportError,
    Unauthenticated,
    Unavailable,
    UnexpectedResponse,
)
from scoreboard.client.live import State
from scoreboard.client.requests import Update
from scoreboard.client.results import (
    BatchAccepted,
    BatchApplied,
    BatchRefused,
    Change,
    Entry,
    Event,
    Found,
    LiveTop,
    Outcome,
    Page,
    Standing,
)
from scoreboard.client.sync import Scoreboard

__all__ = [
    "AsyncScoreboard",
    "BatchAccepted",
    "BatchApplied",
    "BatchRefused",
    "Change",
    "Entry",
    "Event",
    "Forbidden",
    "Found",
    "Invalid",
    "LiveTop",
    "NotFound",
    "Outcome",
    "Page",
    "RateLimited",
    "Refused",
    "Scoreboard",
    "ScoreboardClientError",
    "Standing",
    "State",
    "TransportError",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedResponse",
    "Update",
]
