"""The ledger port: entries, receipts and totals, changed in one transaction."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from scoreboard.domain.board import App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Standing, Submission, TableKey

MIN_EVENT_ID = EventId(b"")  # sorts before every event
# The credential of entries that were imported from another ledger. No principal has this name.
IMPORTED = "import"


class Receipt(NamedTuple):
    """The digest of the first body under an idempotency key, and its outcome.

    `outcome` is None when the player or the board was deleted since.
    """

    digest: bytes
    outcome: Outcome | None


@dataclass(slots=True)
class BatchState:
    """The stored state that a batch depends on, read under its transaction's locks.

    A key that is absent here does not exist in the store. `receipts` are by (`App.pk`, credential, key). `outcomes` are
    those of submissions of this batch that were applied earlier. `facts` are those that the submissions' rules read.
    `gone` contains the `pk` of each board of the batch that was deleted.
    """

    receipts: dict[tuple[int, str, str], Receipt] = field(default_factory=dict)
    outcomes: dict[EventId, Outcome] = field(default_factory=dict)
    standings: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Decision:
    """The result of deciding a batch: one outcome for each submission, in order.

    The ledger writes `new_outcomes`, `standings` and `facts`; the last two are absolute values. `to_rank` has the
    standings to rank: the written ones, and those that a submission left unchanged. The changes of
    `unconfirmed_tables` were committed by an earlier transaction, but perhaps not published. The ledger sets
    `projection_id`, the id of the batch's pending projection (0: no standing changed).
    """

    outcomes: list[Outcome] = field(default_factory=list)
    new_outcomes: list[tuple[Submission, Outcome]] = field(default_factory=list)
    standings: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    to_rank: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    unconfirmed_tables: set[TableKey] = field(default_factory=set)
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    projection_id: int = 0


class PurgeResult(NamedTuple):
    """The number of removed rows, and whether a pass over all rows is complete."""

    removed: int
    complete: bool


Decide: TypeAlias = Callable[[Sequence[Submission], BatchState], Decision]


class Ledger(Protocol):
    """The append-only record of updates. Every method may raise Unavailable."""

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        """Decide a batch in one transaction: read its state, call `decide`, and write.

        The decision is durable when the call returns. Transactions that share a player are serialized. New players
        are created. A pending projection, one row with the names of the changed standings, is written too.

        Raises Unavailable when the outcome may be unknown. A retry with the same submissions is safe: those that were
        written are in `BatchState.outcomes`. After any other exception nothing was written. `decide` must be pure: it
        may be called on another thread, and more than once.
        """

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        """Return the receipts of those keys that have one, without locks."""

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        """Return the outcome of a submission to this app, or None."""

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        """Return the outcomes of those submissions to this app that have one."""

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None: ...

    def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        """Yield every standing of a table once, in chunks without an order.

        This is no snapshot: a standing that changes during the call has its old or its new value. A caller that
        ranks updates during the call must keep the standing with the greatest version.
        """

    async def tables(self, board: Board) -> list[TableKey]:
        """Return the tables of a board that have, or had, a standing."""

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        """Return the ids of all pending projections, and the current standings in them."""

    async def ack_projections(self, projection_ids: Collection[int]) -> None:
        """Acknowledge ranked projections. A later transaction deletes their rows."""

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        """Check some of the receipts, refusals and facts, and remove the old ones.

        Receipts and refusals are old when their submissions were accepted before `before`; facts are old when they
        expired before `facts_before`. Both are in microseconds since 1970. Applied submissions stay. IMPORTED receipts
        stay too, because their instants are not those of the import. A refusal is never removed before its receipt. The
        call after a `complete` one starts a new pass. Other transactions wait for this call no longer than for one
        another.
        """

    async def latest_instant(self) -> int:
        """Return the greatest `accepted_at` in the ledger, 0 when empty."""

    def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = 10_000
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        """Yield the applied submissions to a board that are later than `after`, in chunks.

        The order is that of (accepted_at, event id). The submissions have no action, only its points as their value.
        """
