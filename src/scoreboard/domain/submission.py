"""Submissions: checked and stamped requests to change a score, the rules that bear on them, and their outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from scoreboard.domain.board import Action, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey

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


class Rule(Protocol):
    """A condition that is decided inside the transaction, under the lock of the submission's player.

    A rule is made for one board and action. Both methods are pure.
    """

    def facts(self, submission: "Submission") -> Sequence[FactKey]:
        """Return the keys of the facts to read, all of the submission's player."""
        ...

    def decide(self, submission: "Submission", facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        """Return the facts to write. Raise Refused to refuse the submission; then nothing is written.

        `facts` holds those of the keys that exist, with the changes of earlier submissions of the batch.
        """
        ...


@dataclass(slots=True)
class Submission:
    """A request to change a score, checked and stamped by the server.

    `value` is an increment or a score, by the board's operator. With an action it comes from the server. `region` None
    is still to be resolved from the player's profile. `credential` and `key` name the receipt, `digest` the body it
    stands for. `metadata` is compact JSON. A `queued` submission gets an outcome at its event, whatever happens to it.
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
