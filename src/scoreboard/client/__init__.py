"""A client of Scoreboard for Python: updates that count once, reads, live boards.

    from scoreboard.client import Scoreboard

    with Scoreboard("http://127.0.0.1:8000", app="shop", token=TOKEN) as scoreboard:
        print(scoreboard.update("main", "alice", increment=5).rank)

`Scoreboard` is for plain programs, `AsyncScoreboard` for those on asyncio; both can do the same. It needs nothing of
the server, and can be used where only this package and aiohttp are. docs/how-to/python-client.md shows it by example.
"""

from scoreboard.client.aio import AsyncScoreboard
from scoreboard.client.errors import (
    Forbidden,
    Invalid,
    NoAnswer,
    NotFound,
    NotScoreboard,
    Refused,
    ScoreboardClientError,
    TooMany,
    Unauthenticated,
    Unavailable,
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
    "NoAnswer",
    "NotFound",
    "NotScoreboard",
    "Outcome",
    "Page",
    "Refused",
    "Scoreboard",
    "ScoreboardClientError",
    "Standing",
    "State",
    "TooMany",
    "Unauthenticated",
    "Unavailable",
    "Update",
]
