"""Results of calls. Scores are exact integers, times are in UTC, and ranks start at 1."""

from datetime import datetime
from typing import Literal

import msgspec

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class _Result(msgspec.Struct, frozen=True):
    pass


class Entry(_Result, frozen=True):
    """One standing on a board. `reached_at` is the time when the player reached the score."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int
    reached_at: datetime


class Page(_Result, frozen=True):
    """Standings of a table, best first. `total` counts all players.

    Pages with the same `epoch` and `offset` show the same state of the table.
    """

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
    """Standing of one player.

    `ties` counts the others with the same score. `percentile` is the share of the others with a worse score.
    `gap_to_next` is the distance to the next better score, None for the best. Fields that need the ranking are None
    while it is unavailable (`rank_state`).
    """

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
    """Players of a query with a standing, best first, and players without one."""

    entries: tuple[Entry, ...]
    not_found: tuple[str, ...]


class Outcome(_Result, frozen=True):
    """Outcome of an update.

    An "applied" update counts. Its `rank` is that of this moment, None unless `rank_state` is exact. An "accepted"
    update will count once or be refused; `event(outcome.event)` returns its outcome later, and the other fields are
    None. A `replayed` update counted before under the same key, and did not count again.
    """

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
    """Update of a batch that counts. A `replayed` one counted before under the same key."""

    player: str
    event: str
    score: int
    previous_score: int | None
    changed: bool
    replayed: bool


class BatchAccepted(_Result, frozen=True, tag="accepted", tag_field="status"):
    """Update of a batch that is in the queue of the server. Its event will have the outcome.

    A `replayed` one was sent before under the same key, and `event` is its first event.
    """

    player: str
    event: str
    replayed: bool = False


class BatchRefused(_Result, frozen=True, tag="refused", tag_field="status"):
    """Update of a batch that was refused and changed nothing."""

    player: str | None
    code: str
    detail: str


class Batch(_Result, frozen=True):
    """Outcomes of a batch in the order of its updates."""

    results: tuple[BatchApplied | BatchAccepted | BatchRefused, ...]


class Event(_Result, frozen=True):
    """Outcome of an update by its event id.

    `score` is set if it was applied, `code` and `detail` if it was refused. While it is pending, only the event and
    `accepted_at` are set.
    """

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
    """Change of a player's rank or score. A rank of None is outside the top N."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int


class LiveTop(_Result, frozen=True):
    """Complete top N at one position.

    Offsets only grow within an `epoch`. A new epoch replaces all earlier positions. `changes` is None unless this board
    directly follows the previous one.
    """

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
