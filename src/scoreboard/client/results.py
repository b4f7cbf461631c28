"""What the server answers. Scores are exact integers, whatever the board; times are in UTC; ranks begin at 1."""

from datetime import datetime
from typing import Literal

import msgspec

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class _Result(msgspec.Struct, frozen=True):
    pass


class Entry(_Result, frozen=True):
    """One line of a board. `reached_at` is when this score was reached."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int
    reached_at: datetime


class Page(_Result, frozen=True):
    """Lines of a table, best first. The same `epoch` and `offset`, the same standings; `total` counts all players."""

    app: str
    board: str
    season: str
    region: str | None
    epoch: str
    offset: int
    total: int
    rank_state: RankState
    entries: tuple[Entry, ...]
    next_cursor: str | None = None


class Standing(_Result, frozen=True):
    """One player's place. `ties` others have the same score, `percentile` of the others have a worse one, `gap_to_next`
    points lead to the nearest better score (None for the best). While the ranking is not at hand (`rank_state`), what
    would need it is None, never a guess."""

    player: str
    season: str
    region: str | None
    score: int
    rank: int | None
    rank_state: RankState
    total: int | None
    ties: int | None
    percentile: float | None
    gap_to_next: int | None
    reached_at: datetime


class Found(_Result, frozen=True):
    """Those of a set of players who have a standing, best first, and those who have none."""

    entries: tuple[Entry, ...]
    not_found: tuple[str, ...]


class Outcome(_Result, frozen=True):
    """What became of an update. "applied": it counts, and the rest is known; `rank` is as of then, None unless
    `rank_state` is exact. "accepted": it will count exactly once or be refused, and `event(outcome.event)` tells which;
    the rest is None. `replayed`: it had been counted before, under the same key, and was not again."""

    event: str
    status: Literal["applied", "accepted"]
    player: str | None = None
    board: str | None = None
    season: str | None = None
    score: int | None = None
    previous_score: int | None = None
    changed: bool | None = None
    rank: int | None = None
    previous_rank: int | None = None
    rank_state: RankState | None = None
    accepted_at: datetime | None = None
    replayed: bool = False


class BatchApplied(_Result, frozen=True, tag="applied", tag_field="status"):
    """An update of a batch that counts. `replayed`: it had been counted before, under the same key."""

    player: str
    event: str
    score: int
    previous_score: int | None
    changed: bool
    replayed: bool


class BatchAccepted(_Result, frozen=True, tag="accepted", tag_field="status"):
    """An update of a batch that is in the server's queue, and will have its one outcome at its event. `replayed`: it
    was sent before, under the same key, and this is its first event."""

    player: str
    event: str
    replayed: bool = False


class BatchRefused(_Result, frozen=True, tag="refused", tag_field="status"):
    """An update of a batch that does not count, and why; it changed nothing."""

    player: str | None
    code: str
    detail: str


class Batch(_Result, frozen=True):
    """The outcomes of one batch, in the order of its updates."""

    results: tuple[BatchApplied | BatchAccepted | BatchRefused, ...]


class Event(_Result, frozen=True):
    """The one outcome of an update. `score` is there when it was applied, `code` and `detail` when it was refused;
    while it is pending only the event and its instant are known."""

    event: str
    status: Literal["pending", "applied", "refused"]
    board: str | None
    player: str | None
    season: str | None
    accepted_at: datetime
    score: int | None = None
    previous_score: int | None = None
    code: str | None = None
    detail: str | None = None


class Change(_Result, frozen=True):
    """One player's move; a rank of None is a place outside the top N."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int


class LiveTop(_Result, frozen=True):
    """The whole top N at one position. Within an `epoch` offsets only grow; a new one replaces all that was. `changes`
    is None unless it follows directly on the one before."""

    app: str
    board: str
    season: str
    region: str | None
    epoch: str
    offset: int
    total: int
    at: datetime
    entries: tuple[Entry, ...]
    changes: tuple[Change, ...] | None = None
