"""The outbox: applied submissions as events, kept with their batch until every event consumer has handled them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from scoreboard.application.ports.ledger import Decision
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import WORLD

ROW_EVENTS = 256  # at most, in one row of a store


class ScoreUpdated(NamedTuple):
    """One applied submission. It describes the world's table of the season; times in microseconds since 1970.

    `event` is the id of the submission, the same at every delivery. `score` is the total after it, and `version` that
    of the standing after it. `value` is the increment on an `increment` board and the submitted score on others.
    `region` is where the submission counts besides the world, empty where it names none. `action` is None for a plain
    value.

    Of the events of one player in one table, the one with the greatest version has the newest score. Two events have
    the same version when the second left the standing as it was; they have the same score. Versions grow over the
    deletion of a player or a board that is made again.
    """

    event: EventId
    accepted_at: int
    app: str
    board: str
    season: str
    region: str
    player: str
    action: str | None
    value: int
    score: int
    version: int


OutboxPosition: TypeAlias = tuple[int, int]
"""A place in the outbox. Only the store that gave it knows its meaning."""


class PendingEvents(NamedTuple):
    """Events for a consumer, and the position of its cursor once it has handled them."""

    events: list[ScoreUpdated]
    position: OutboxPosition


class Backlog(NamedTuple):
    """Committed events past a consumer's cursor: their number, their size in bytes, and the age of the oldest.

    `skipped` counts all events that the consumer has missed, because its backlog was larger than its bound.
    """

    events: int
    size: int
    age_s: float
    skipped: int


class EventConsumer(Protocol):
    """A receiver of every applied submission, such as a webhook or a topic of Kafka."""

    @property
    def name(self) -> str:
        """The name of its cursor: at most 50 characters, unique, and the same after a restart."""
        ...

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        """Handle one or more events.

        Return when they cannot be lost: the cursor moves past them. Raise to get them again, after a pause that grows
        with each failure. Events come at least once: a repeat has the same event id, and may come after later events.
        Two events of one player come in the order of their commits where one process commits, and nearly so where
        several do: compare versions. One process at a time calls this, one call at a time, except for the moment in
        which another process takes over. A call that takes longer than a minute is cancelled and counts as a failure.
        """
        ...


class Outbox(Protocol):
    """The events of batches that were committed while consumers were configured, with one cursor per consumer.

    A ledger opened with the outbox writes the events of a batch in the transaction of the batch: an event is in the
    outbox exactly when its submission is in the ledger. Refused and replayed submissions have none. Every method but
    `added` may raise Unavailable.
    """

    async def register(self, consumers: Collection[str]) -> None:
        """Add cursors for the consumers that have none, at the present end. Cursors that exist stay where they are.

        Each event that is committed after the return is delivered. Await it before this process commits any.
        """
        ...

    async def unregister(self, keep: Collection[str]) -> list[str]:
        """Remove the cursors of all consumers but these, and return the names of the removed."""
        ...

    async def read(self, consumer: str, max_events: int, max_bytes: int) -> PendingEvents | None:
        """Return the next events past the cursor, in order; None when the consumer has no cursor.

        No event is passed over: one is returned only when no event before it can still be committed. The result stays
        within both bounds unless its first row, of at most ROW_EVENTS events, exceeds them alone.
        """
        ...

    async def advance(self, consumer: str, position: OutboxPosition) -> None:
        """Move the cursor to a position that `read` returned, durably. A cursor never moves back."""
        ...

    async def skip(self, consumer: str) -> int:
        """Move the cursor to the present end, and return the number of events that the consumer misses by it."""
        ...

    async def trim(self) -> int:
        """Remove some of the rows that every cursor has passed, and return their number: 0 when none is left."""
        ...

    async def backlogs(self) -> Mapping[str, Backlog]:
        """Return the backlog of each consumer that has a cursor."""
        ...

    def added(self) -> asyncio.Event:
        """Return an event that is set when this process next commits events."""
        ...


class Arrival:
    """The signal behind `Outbox.added`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        return self._event

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[ScoreUpdated]).decode
"""Return the events of a row's bytes."""


def encode(decision: Decision) -> list[tuple[int, bytes]]:
    """Return the rows for the applied submissions of a batch, in order: each the number of its events, and them."""
    events = [
        ScoreUpdated(
            submission.event,
            submission.accepted_at,
            submission.board.app.slug,
            submission.board.slug,
            submission.season,
            submission.region or WORLD,
            submission.player,
            submission.action.slug if submission.action else None,
            submission.value,
            outcome.score,
            outcome.version,
        )
        for submission, outcome in decision.new_outcomes
        if outcome.status == "applied"
    ]
    return [
        (len(some), _encode(some))
        for some in (events[start : start + ROW_EVENTS] for start in range(0, len(events), ROW_EVENTS))
    ]
