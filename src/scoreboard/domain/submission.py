"""A request to change a score, checked and stamped by the server, and what became of it."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from scoreboard.domain.board import Action, Board
from scoreboard.domain.event_id import EventId

WORLD = ""  # the region of the table that holds everybody


class TableKey(NamedTuple):
    """What is ranked: the standings of one board, in one season, of one region or the world."""

    board: int
    season: str
    region: str


class Standing(NamedTuple):
    """A player's place in a table, without the rank. Times in microseconds since 1970.

    `event` is the submission that gave the score (the last that counted, on an `increment` board) and `event_at` its
    `accepted_at`; `version` begins at the first `accepted_at`, grows by one with each change and tells copies apart.
    """

    score: int
    reached_at: int
    version: int
    event: EventId
    event_at: int


@dataclass(slots=True)
class Submission:
    """`value` is an increment or a score, as the board's operator says; never from a client when there is an action.

    `credential` and `key` name the receipt, `digest` the body it stands for. `metadata` is compact JSON. One that was
    `queued` was promised an outcome at the address of its event, whatever becomes of it.
    """

    event: EventId
    accepted_at: int
    board: Board
    season: str
    player: str
    value: int
    credential: str
    region: str = WORLD
    action: Action | None = None
    key: str | None = None
    digest: bytes = b""
    metadata: bytes | None = None
    queued: bool = False


Status = Literal["pending", "applied", "refused"]


@dataclass(slots=True)
class Outcome:
    """The one thing that became of a submission. Scores are those of the board's world table.

    `code` and `detail` say why one was refused; then `score` and `previous_score` mean nothing.
    `replayed`: this is the outcome of an earlier submission under the same idempotency key. `recorded`: it can be read
    again by its event. `retry_after_s`: when the same may do, where that is known; not recorded. `version`: that of the
    world's standing after it; not recorded, so 0 in an outcome that is read again.
    """

    event: EventId
    board: int
    player: str
    season: str
    accepted_at: int
    status: Status
    score: int = 0
    previous_score: int | None = None
    changed: bool = False
    code: str = ""
    detail: str = ""
    replayed: bool = False
    recorded: bool = True
    retry_after_s: float | None = None
    version: int = field(default=0, compare=False)
