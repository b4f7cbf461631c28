"""The bodies of `/v1`: the same types decode requests, encode answers and make the OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scoreboard.domain.board import Consistency, Direction, Numbering, Operator, Period, Priority, Ties
from scoreboard.entrypoints.contracts.v1.entries import Entry

Score = int | Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}$")]
"""A signed 64-bit integer; as text where it may leave the integers that every JSON reader reads exactly."""

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    pass


class ScoreUpdate(Request):
    """One update. Exactly one of `action`, `increment` and `score`; `player` is the token's own when absent."""

    player: str | None = None
    action: str | None = None
    increment: Score | None = None
    score: Score | None = None
    region: str | None = None
    metadata: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BatchItem(ScoreUpdate):
    idempotency_key: str | None = None


class Batch(Request):
    updates: Annotated[list[BatchItem], Meta(min_length=1, max_length=1_000)]


class Applied(msgspec.Struct):
    """An applied update. `rank` is that of its batch, null unless `rank_state` is exact.

    `out_of_range`: the player is not among the best that the ranking keeps; read the standing for the rank.
    """

    event: str
    status: Literal["applied"]
    player: str
    board: str
    season: str
    score: Score
    previous_score: Score | None
    changed: bool
    rank: int | None
    previous_rank: int | None
    rank_state: RankState
    accepted_at: str


class Accepted(msgspec.Struct):
    """Durable, and with exactly one outcome, to be read at `outcome`."""

    event: str
    status: Literal["accepted"]
    outcome: str


class BatchApplied(msgspec.Struct, tag="applied", tag_field="status"):
    player: str
    event: str
    score: Score
    previous_score: Score | None
    changed: bool
    replayed: bool


class BatchAccepted(msgspec.Struct, tag="accepted", tag_field="status"):
    player: str
    event: str
    replayed: bool


class BatchRefused(msgspec.Struct, tag="refused", tag_field="status"):
    player: str | None
    code: str
    detail: str


class BatchAnswer(msgspec.Struct):
    applied: int
    refused: int
    results: Sequence[BatchApplied | BatchAccepted | BatchRefused]
    accepted: int = 0


class Event(msgspec.Struct):
    """The outcome of one update."""

    event: str
    status: Literal["pending", "applied", "refused"]
    board: str | None
    player: str | None
    season: str | None
    accepted_at: str
    score: Score | None = None
    previous_score: Score | None = None
    code: str | None = None
    detail: str | None = None


class TableQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which table of the board: the current season and the world, unless named."""

    season: str | None = None
    region: str | None = None


class TopQuery(TableQuery, frozen=True):
    limit: int | None = None
    cursor: str | None = None


class AroundQuery(TableQuery, frozen=True):
    radius: int = 5


class Page(msgspec.Struct):
    """Lines of a table, best first. The same `epoch` and `offset`, the same standings. `total` counts all players; it
    may be some seconds old where only the best are kept in Redis."""

    app: str
    board: str
    season: str
    region: str | None
    epoch: str
    offset: int
    total: int
    rank_state: RankState
    entries: list[Entry]
    next_cursor: str | None = None


class Standing(msgspec.Struct):
    """`ties` others have the same score; `percentile` of the others have a worse one; `gap_to_next` points to the
    nearest better score, null for the best. Where only the best are kept in Redis, `total` and `percentile` may be some
    seconds old."""

    player: str
    season: str
    region: str | None
    score: Score
    rank: int | None
    rank_state: RankState
    total: int | None
    ties: int | None
    percentile: float | None
    gap_to_next: Score | None
    reached_at: str


class PlayersWanted(Request):
    players: Annotated[list[str], Meta(min_length=1, max_length=200)]


class PlayersFound(msgspec.Struct):
    entries: list[Entry]
    not_found: list[str]


class App(Request):
    app: str
    name: str | None = None
    time_zone: str = "UTC"


class AppChange(Request):
    name: str | msgspec.UnsetType = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET


class BoardRules(Request, kw_only=True):
    """What is fixed when a board is made."""

    board: str
    operator: Operator = "increment"
    direction: Direction = "descending"
    ties: Ties = "earliest"
    numbering: Numbering = "ordinal"
    period: Period = "all_time"
    time_zone: str | None = None
    regions: list[str] = []


class Board(BoardRules, kw_only=True):
    name: str | None = None
    top_n: int = 10
    public: bool = True
    player_values: bool = False
    consistency: Consistency = "direct"
    priority: Priority = "normal"
    min_value: Score | None = None
    max_value: Score | None = None
    min_total: Score | None = None
    max_total: Score | None = None


class BoardChange(Request):
    name: str | msgspec.UnsetType = msgspec.UNSET
    top_n: int | msgspec.UnsetType = msgspec.UNSET
    public: bool | msgspec.UnsetType = msgspec.UNSET
    player_values: bool | msgspec.UnsetType = msgspec.UNSET
    consistency: Consistency | msgspec.UnsetType = msgspec.UNSET
    priority: Priority | msgspec.UnsetType = msgspec.UNSET
    min_value: Score | msgspec.UnsetType = msgspec.UNSET
    max_value: Score | msgspec.UnsetType = msgspec.UNSET


class Action(Request):
    action: str
    points: Score
    per_day: int | None = None
    cooldown_s: int = 0


class ActionChange(Request):
    points: Score | msgspec.UnsetType = msgspec.UNSET
    per_day: int | msgspec.UnsetType | None = msgspec.UNSET
    cooldown_s: int | msgspec.UnsetType = msgspec.UNSET


class Player(Request):
    player: str
    username: str | None = None
    avatar_url: str | None = None
    email: str | None = None
    region: str | None = None


class PlayerChange(Request):
    username: str | msgspec.UnsetType = msgspec.UNSET
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET
    email: str | msgspec.UnsetType | None = msgspec.UNSET
    region: str | msgspec.UnsetType | None = msgspec.UNSET


class PlayersQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class Apps(msgspec.Struct):
    apps: list[App]


class Boards(msgspec.Struct):
    boards: list[Board]


class Actions(msgspec.Struct):
    actions: list[Action]


class Players(msgspec.Struct):
    players: list[Player]


class LedgerQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Entries past the event `after`, in the order in which they were accepted."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 1_000


class LedgerEntry(Request, kw_only=True):
    """One applied update. `value` is what it was worth: an increment, or a score. To take an entry over, its `event`,
    `player`, `value`, `region` and `metadata` are read; what they come to is worked out anew."""

    event: str
    accepted_at: str | None = None
    season: str | None = None
    region: str | None = None
    player: str
    value: Score
    score: Score | None = None
    previous_score: Score | None = None
    metadata: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class LedgerPage(msgspec.Struct):
    """`next_after` is the `after` of the next page, null when there is none yet. `at` is when this one was read: who
    wants the ledger as it was then stops at the first entry accepted later."""

    entries: list[LedgerEntry]
    next_after: str | None
    at: str


class LedgerBatch(Request):
    entries: Annotated[list[LedgerEntry], Meta(min_length=1, max_length=1_000)]


class Rebuilt(msgspec.Struct):
    """The tables of the current season that were made anew, and their standings; `warming` while some still are."""

    tables: int
    standings: int
    rank_state: Literal["exact", "warming"]


class DeadLettersQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class DeadLetter(msgspec.Struct):
    """`reason` is why its updates could not be applied, `attempts` how often that was tried before. `count` is how many
    updates are in it, null when it cannot be opened: it was tampered with, or its key is gone."""

    letter: str
    reason: str
    since: str
    attempts: int
    count: int | None


class DeadUpdate(msgspec.Struct):
    app: str
    board: str
    player: str
    event: str
    accepted_at: str
    value: Score


class OpenedDeadLetter(DeadLetter, kw_only=True):
    updates: list[DeadUpdate] | None


class DeadLetterList(msgspec.Struct):
    dead_letters: list[DeadLetter]
