"""Submissions: validated requests to change a score, their rules and outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from scoreboard.domain.board import Action, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey

WORLD = ""  # the region of the table that ranks all players


class TableKey(NamedTuple):
    """The key of a table: a board's `pk`, a season, and a region or the world."""

    board: int
    season: str
    region: str


class Standing(NamedTuple):
    """A player's entry in a table, without the rank.

    Times are in microseconds since 1970. `event` is the submission that led to the score; on an `increment` board, the
    last one that counted. `event_at` is its `accepted_at`. `version` starts at the first `accepted_at` and grows by one
    with each change, so that the newest copy of a standing is known.
    """

    score: int
    reached_at: int
    version: int
    event: EventId
    event_at: int


class Rule(Protocol):
    """A check inside the transaction, under the lock of the submission's player.

    A rule is made for one board and action. Both methods are pure.
    """

    def facts(self, submission: "Submission") -> Sequence[FactKey]:
        """Return the keys of the facts to read, all of the submission's player."""

    def decide(self, submission: "Submission", facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        """Return the facts to write, or raise Refused to refuse the submission.

        `facts` has the existing facts of the keys, with the changes of earlier submissions of the batch. A refusal
        writes no facts.
        """


@dataclass(slots=True)
class Submission:
    """A validated request to change a score, with an event id and a time.

    `value` is an increment or a score, by the board's operator; for an action, it is the action's points. A `region` of
    None is resolved from the player's profile later. The receipt is stored under `credential` and `key`, with the
    `digest` of the body. `metadata` is compact JSON. The outcome of a `queued` submission is recorded under its event,
    unless its board was deleted.
    """

    event: EventId
    accepted_at: int
    board: Board
    season: str
    player: str
    value: int
    credential: str
    region: str | None = WORLD
    action: Action | None = None
    key: str | None = None
    digest: bytes = b""
    metadata: bytes | None = None
    queued: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def tables(self) -> list[TableKey]:
        """The tables that the submission changes: the world first, then the region."""
        board, season = self.board.pk, self.season
        if self.region:
            return [TableKey(board, season, WORLD), TableKey(board, season, self.region)]
        return [TableKey(board, season, WORLD)]

    @property
    def fact_keys(self) -> list[FactKey]:
        """The facts that the submission's rules read."""
        return [key for rule in self.rules for key in rule.facts(self)]


Status = Literal["pending", "applied", "refused"]


@dataclass(slots=True)
class Outcome:
    """The final result of a submission. Scores are those of the board's world table.

    A refusal has `code` and `detail`, and no meaningful scores. `replayed` marks the outcome of an earlier submission
    under the same idempotency key. A `recorded` outcome can be read again by its event. `retry_after_s` is the wait
    before a retry may succeed, if known. `version` is that of the world standing after the submission. These two
    are not stored: in an outcome that is read again, they are None and 0.
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
