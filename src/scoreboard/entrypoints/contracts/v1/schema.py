"""Bodies of `/v1`: types that decode requests, encode responses, define schemas."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from scoreboard.domain.board import Consistency, Direction, Numbering, Operator, Period, Priority, Ties
from scoreboard.entrypoints.contracts.v1.entries import Entry

Score = int | Annotated[str, Meta(pattern=r"^-?[0-9]{1,19}$")]
"""A signed 64-bit integer, as text where it may exceed the integers that every JSON parser reads exactly."""

BATCH_BYTES = 4 * 1024 * 1024  # the limit for the body of a batch

RankState = Literal["exact", "warming", "unavailable", "out_of_range"]


class RequestBody(msgspec.Struct, forbid_unknown_fields=True):
    pass


class ScoreUpdate(RequestBody):
    """One update, with exactly one of `action`, `increment` and `score`.

    `player` defaults to the token's subject. Send it with every token that is not a player's.
    """

    player: str | None = None
    action: str | None = None
    increment: Score | None = None
    score: Score | None = None
    region: str | None = None
    metadata: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BatchItem(ScoreUpdate):
    idempotency_key: str | None = None


class Batch(RequestBody):
    updates: Annotated[list[BatchItem], Meta(min_length=1, max_length=1_000)]


class Applied(msgspec.Struct):
    """An applied update.

    `rank` is null unless `rank_state` is `exact`. With `out_of_range` the player is not among the best that the ranking
    keeps; read the standing to get the rank.
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
    """An update that is durable, with the address of its outcome."""

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


class BatchResult(msgspec.Struct):
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
    """The table of a board: by default the current season and the world."""

    season: str | None = None
    region: str | None = None


class TopQuery(TableQuery, frozen=True):
    limit: int | None = None
    cursor: str | None = None


class AroundQuery(TableQuery, frozen=True):
    radius: int = 5


class Page(msgspec.Struct):
    """Entries of a table, best first.

    Pages with the same `epoch` and `offset` show the same standings. `total` counts all players. It may be some seconds
    old if Redis keeps only the best.
    """

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
    """A player's entry in a table.

    `ties` counts the other players with the same score. `percentile` is the share of the others with a worse score.
    `gap_to_next` is the distance to the next better score, null for the best. If Redis keeps only the best, `total` and
    `percentile` may be some seconds old.
    """

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


class StandingsRequest(RequestBody):
    players: Annotated[list[str], Meta(min_length=1, max_length=200)]


class StandingsResponse(msgspec.Struct):
    entries: list[Entry]
    not_found: list[str]


class App(RequestBody):
    app: str
    name: str | None = None
    time_zone: str = "UTC"


class AppChange(RequestBody):
    name: str | msgspec.UnsetType = msgspec.UNSET
    time_zone: str | msgspec.UnsetType = msgspec.UNSET


class BoardRules(RequestBody, kw_only=True):
    """The rules that are fixed when a board is created."""

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


class BoardChange(RequestBody):
    name: str | msgspec.UnsetType = msgspec.UNSET
    top_n: int | msgspec.UnsetType = msgspec.UNSET
    public: bool | msgspec.UnsetType = msgspec.UNSET
    player_values: bool | msgspec.UnsetType = msgspec.UNSET
    consistency: Consistency | msgspec.UnsetType = msgspec.UNSET
    priority: Priority | msgspec.UnsetType = msgspec.UNSET
    min_value: Score | msgspec.UnsetType = msgspec.UNSET
    max_value: Score | msgspec.UnsetType = msgspec.UNSET


class Action(RequestBody):
    action: str
    points: Score
    per_day: int | None = None
    cooldown_s: int = 0


class ActionChange(RequestBody):
    points: Score | msgspec.UnsetType = msgspec.UNSET
    per_day: int | msgspec.UnsetType | None = msgspec.UNSET
    cooldown_s: int | msgspec.UnsetType = msgspec.UNSET


class Player(RequestBody):
    player: str
    username: str | None = None
    avatar_url: str | None = None
    email: str | None = None
    region: str | None = None


class PlayerChange(RequestBody):
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
    """The entries after the event `after`, in order of acceptance."""

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 1_000


class LedgerEntry(RequestBody, kw_only=True):
    """One applied update.

    `value` is its increment or score. An import reads `event`, `player`, `value`, `region` and `metadata`, and computes
    the rest.
    """

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
    """A page of the ledger, read at the time `at`.

    `next_after` is the `after` of the next page, or null if there is none yet.
    """

    entries: list[LedgerEntry]
    next_after: str | None
    at: str


class LedgerBatch(RequestBody):
    entries: Annotated[list[LedgerEntry], Meta(min_length=1, max_length=1_000)]


class RebuildResult(msgspec.Struct):
    """The rebuilt tables of the current season, and their standings.

    `rank_state` is `warming` while some tables are still being rebuilt.
    """

    tables: int
    standings: int
    rank_state: Literal["exact", "warming"]


class DeadLettersQuery(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class DeadLetter(msgspec.Struct):
    """A queued message whose updates could not be applied after `attempts` attempts.

    `count` is the number of its updates. It is null for an unreadable message, which was altered or
    signed with a removed key.
    """

    letter: str
    reason: str
    since: str
    attempts: int
    count: int | None


class DeadLetterUpdate(msgspec.Struct):
    app: str
    board: str
    player: str
    event: str
    accepted_at: str
    value: Score


class DeadLetterDetails(DeadLetter, kw_only=True):
    updates: list[DeadLetterUpdate] | None


class DeadLetterList(msgspec.Struct):
    dead_letters: list[DeadLetter]
