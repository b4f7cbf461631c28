"""The outbox port: events of applied submissions, stored for event consumers."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from scoreboard.application.ports.ledger import Decision
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import WORLD

ROW_EVENTS = 256  # the most events in one row of a store


class ScoreUpdated(NamedTuple):
    """One applied submission, described by the world table of its season.

    `event` is the id of the submission, the same at every delivery. `accepted_at` is in microseconds since 1970.
    `score` and `version` are those of the standing after it. `value` is the increment on an `increment` board, and the
    submitted score on others. `region` is where the submission counts besides the world, or empty. `action` is None
    for a plain value.

    Of a player's events in one table, the one with the greatest version has the newest score. Two events have the same
    version and score when the second left the standing unchanged. Versions keep growing when a player or a board is
    deleted and created again.
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
"""A place in the outbox. Only the store that returned it can interpret it."""


class PendingEvents(NamedTuple):
    """Events for a consumer, and the cursor's position after they are handled."""

    events: list[ScoreUpdated]
    position: OutboxPosition


class Backlog(NamedTuple):
    """The committed events past a consumer's cursor.

    They are described by their number, their size in bytes and the age of the oldest. `skipped` counts all events that
    the consumer has missed, because its backlog was larger than its bound.
    """

    events: int
    size: int
    age_s: float
    skipped: int


class EventConsumer(Protocol):
    """A receiver of every applied submission, such as a webhook or a topic of Kafka."""

    @property
    def name(self) -> str:
        """The name of the consumer's cursor: at most 50 characters, unique and permanent."""

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        """Handle one or more events.

        Return when they cannot be lost: the cursor moves past them. Raise to receive them again, after a pause that
        grows with each failure. A call that takes longer than a minute is cancelled, and counts as a failure.

        Events are delivered at least once. A repeated one has the same event id, and may follow later events. While one
        process commits, the events of a player come in the order of their commits. With several processes a few may
        be out of order, so compare versions. Calls do not overlap, except for a moment when another process takes over.
        """


class Outbox(Protocol):
    """The events of committed batches, with one cursor per consumer.

    While consumers are configured, the ledger writes the events of a batch in the transaction of the batch. So an event
    is in the outbox exactly when its submission is in the ledger. Refused and replayed submissions have no events.
    Every method except `added` may raise Unavailable.
    """

    async def register(self, consumers: Collection[str]) -> None:
        """Add cursors, at the present end, for the consumers that have none.

        Existing cursors do not move. Every event that is committed after the call is delivered. Await the call before
        this process commits events.
        """

    async def unregister(self, keep: Collection[str]) -> list[str]:
        """Remove the cursors of all other consumers, and return their names."""

    async def read(self, consumer: str, max_events: int, max_bytes: int) -> PendingEvents | None:
        """Return the next events past the cursor, in order, or None without a cursor.

        No event is skipped: one is returned only when no earlier one can still be committed. The result stays within
        both bounds, unless its first row, of at most ROW_EVENTS events, exceeds them alone.
        """

    async def advance(self, consumer: str, position: OutboxPosition) -> None:
        """Move the cursor durably to a position that `read` returned, and never back."""

    async def skip(self, consumer: str) -> int:
        """Move the cursor to the present end, and return the number of events skipped."""

    async def trim(self) -> int:
        """Remove some of the rows that all cursors passed, and return their number."""

    async def backlogs(self) -> Mapping[str, Backlog]:
        """Return the backlog of each consumer that has a cursor."""

    def added(self) -> asyncio.Event:
        """Return an event that is set when this process next commits events."""


class Arrival:
    """A signal that can be set repeatedly, for implementations of `Outbox.added`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        return self._event

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[ScoreUpdated]).decode
"""Decodes the events of a row."""


def encode(decision: Decision) -> list[tuple[int, bytes]]:
    """Return the rows of a batch's events, each as a number of events and bytes."""
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
