"""The truth: the ledger, its receipts and the totals derived from it, changed together or not at all."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from scoreboard.domain.board import App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Standing, Submission, TableKey

MIN_EVENT_ID = EventId(b"")  # sorts before every event
IMPORTED = "import"  # the credential of entries of another ledger, whoever brings them; no token has this name


class Receipt(NamedTuple):
    """What stands under an idempotency key: the digest of the first body, and what became of it (None when the player
    or the board was deleted since)."""

    digest: bytes
    outcome: Outcome | None


@dataclass(slots=True)
class BatchState:
    """The stored state that bears on a batch, read under the locks of its transaction. What is absent does not exist.

    `receipts` by (app number, credential, key). `outcomes` of submissions of this batch that were applied before.
    `facts` of the keys that the submissions' rules asked for. `gone` are the boards of the batch that were deleted.
    """

    receipts: dict[tuple[int, str, str], Receipt] = field(default_factory=dict)
    outcomes: dict[EventId, Outcome] = field(default_factory=dict)
    standings: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Decision:
    """The result of deciding a batch. `outcomes` has one for each submission, in order.

    `new_outcomes` are the submissions whose outcome is to be written. `standings` and `facts` are absolute values to
    be written. `to_rank` are the standings to be ranked: those written, and those that a submission left as they were.
    `unconfirmed_tables` belong to submissions that an earlier transaction wrote without confirming it: their changes
    were not published. The ledger sets `note`, the number of the batch's projection note (0: no standing changed).
    """

    outcomes: list[Outcome] = field(default_factory=list)
    new_outcomes: list[tuple[Submission, Outcome]] = field(default_factory=list)
    standings: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    to_rank: dict[TableKey, dict[str, Standing]] = field(default_factory=dict)
    unconfirmed_tables: set[TableKey] = field(default_factory=set)
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    projection_id: int = 0


class PurgeResult(NamedTuple):
    """How many rows were removed, and whether with them all there is was looked at."""

    removed: int
    complete: bool


Decide: TypeAlias = Callable[[Sequence[Submission], BatchState], Decision]


class Ledger(Protocol):
    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        """Read what is known, `decide`, and write it: one durable transaction, serial with every other on its players.

        Returning means durable. With the decision goes one row, the projection note, that names the standings it
        changed. Players that are new are created. Raises Unavailable when the outcome may be unknown (a retry with the
        same submissions finds out: `BatchState.outcomes`); anything else that is raised means nothing was written.
        `decide` must be pure: it may be called on another thread, and again.
        """
        ...

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        """Return the receipts of those keys that have one. A fast look-up: `transact` decides for good."""
        ...

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        """What became of a submission to this app."""
        ...

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        """The same of many at once: of those that have one."""
        ...

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None: ...

    def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        """Every standing of a table, in chunks, in no order. Not a snapshot: a standing that changes meanwhile may be
        given old or new, so what is ranked meanwhile must be kept by its version."""
        ...

    async def tables(self, board: Board) -> list[TableKey]:
        """The tables of a board that hold, or held, a standing."""
        ...

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        """The projection notes that are not done with, and the standings they name, as they are now."""
        ...

    async def ack_projections(self, notes: Collection[int]) -> None:
        """What these notes name is in the ranking: they go, with a later batch."""
        ...

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        """Look at some of the receipts, refusals and facts, and remove the old ones.

        Old are receipts and refusals of what was accepted before `before`, and facts that expired before
        `facts_before`. Applied submissions stay, and so do IMPORTED receipts, as their instants are not those at which
        they came. No refusal is removed before the receipt that leads to it. The call after the one that was
        `complete` begins again. No transaction waits for it longer than for another.
        """
        ...

    async def latest_instant(self) -> int:
        """The greatest `accepted_at` in the ledger, 0 when empty: a restarted server stamps from there on."""
        ...

    def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = 10_000
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        """The applied submissions to a board in the order of (accepted_at, event id), those past `after`, so many at a
        time. Of an action only the points are told."""
        ...
