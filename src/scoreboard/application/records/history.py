"""History: the ledger of a board, read in order; and the entries of another ledger, taken over as they were."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from scoreboard.application.identity.authorization import authorize
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import IMPORTED, Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.application.updates.commit import GroupCommit
from scoreboard.application.updates.submit import MAX_METADATA_BYTES
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain import codes, event_id
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.domain.event_id import EventId
from scoreboard.domain.identifiers import check_player
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import WORLD, Outcome, Submission, TableKey


class ImportedEntry(NamedTuple):
    """An entry of another ledger; `event`, in text, tells when it was accepted there. `metadata` is JSON."""

    event: str
    player: str
    value: int
    region: str | None = None
    metadata: bytes | None = None


class History:
    """The use cases take a board that `open` returned."""

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        ranking: Ranking,
        commit: GroupCommit,
        rebuild: Rebuild,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self._commit = commit
        self._rebuild = rebuild
        self._clock = clock

    async def open(self, principal: Principal | None, app: str, board: str) -> Board:
        """Return a board whose records the principal may manage."""
        authorize(principal, "manage_records", app)
        return await self._directory.board(app, board)

    def instant(self) -> int:
        """One that is later than all that was accepted, and earlier than all that will be."""
        return self._commit.stamp()

    async def entries(self, board: Board, after: EventId, limit: int) -> list[tuple[Submission, Outcome]]:
        """At most `limit` applied submissions past `after`, in the order of (accepted_at, event id)."""
        async for chunk in self._ledger.entries(board, after, limit):
            return chunk
        return []

    async def import_entries(self, board: Board, entries: Sequence[ImportedEntry]) -> list[Outcome | ScoreboardError]:
        """Apply entries at the instants they were accepted at, in one transaction: in the seasons and with the ties of
        then. Each has its own outcome or error. An entry counts once for a board, whoever brings it, under an event
        of the same instant, and not again for the board that it comes from; rates and the bounds of one update, which
        are rules for senders, do not hold for it."""
        checked = [self._checked(board, entry) for entry in entries]
        fine = [entry for entry, one in zip(entries, checked, strict=True) if isinstance(one, Submission)]
        sent = await self._ledger.outcomes(board.app, {event_id.from_text(entry.event) for entry in fine})
        answers: list[Outcome | ScoreboardError | None] = []
        submissions = []
        for entry, one in zip(entries, checked, strict=True):
            answers.append(_own(board, entry, sent) if isinstance(one, Submission) else one)
            if answers[-1] is None and isinstance(one, Submission):
                submissions.append(one)
        results = await self._commit.submit(submissions, ranks=False) if submissions else []
        await self._bring_back(board, [result.outcome for result in results])
        outcomes = (result.outcome for result in results)
        return [next(outcomes) if answer is None else answer for answer in answers]

    def _checked(self, board: Board, entry: ImportedEntry) -> Submission | ScoreboardError:
        try:
            return self._submission(board, entry)
        except ScoreboardError as error:
            return error

    def _submission(self, board: Board, entry: ImportedEntry) -> Submission:
        event = event_id.from_text(entry.event)
        accepted_at = event_id.accepted_at(event)
        if accepted_at > self._clock():
            raise codes.IN_THE_FUTURE.error("this entry was accepted later than it is now; check the clocks")
        if not INT64_MIN <= entry.value <= INT64_MAX:
            raise codes.INVALID_VALUE.error("a value is a signed 64-bit integer")
        if entry.region is not None and entry.region not in board.regions:
            raise codes.UNKNOWN_REGION.error("this board has no such region")
        return Submission(
            _own_event(board, event, accepted_at),
            accepted_at,
            board,
            season_at(board.period, board.time_zone, accepted_at).name,
            check_player(entry.player),
            entry.value,
            IMPORTED,
            entry.region or WORLD,
            key=f"{board.pk}/{event_id.to_text(event)}",
            digest=_digest(entry),
            metadata=_metadata(entry.metadata),
        )

    async def _bring_back(self, board: Board, outcomes: Sequence[Outcome]) -> None:
        """A ranking keeps players out who were deleted, by versions that begin at the instant of the deletion: who
        comes back at an earlier one is ranked when it is made anew."""
        for outcome in outcomes:
            if outcome.status == "applied" and outcome.previous_score is None and not outcome.replayed:
                key = TableKey(board.pk, outcome.season, WORLD)
                try:
                    ranked = await self._ranking.get_rank(key, board, outcome.player)
                except NotRanked:
                    return
                if ranked is None:
                    await self._rebuild(board)
                    return


def _own(board: Board, entry: ImportedEntry, sent: Mapping[EventId, Outcome]) -> Outcome | None:
    """What became of it when it was sent to this very board."""
    outcome = sent.get(event_id.from_text(entry.event))
    if outcome is None or (outcome.status, outcome.board, outcome.player) != ("applied", board.pk, entry.player):
        return None
    return replace(outcome, replayed=True)


def _own_event(board: Board, event: EventId, accepted_at: int) -> EventId:
    """The event of the same instant that stands for another one on this board: always the same."""
    digest = hashlib.blake2b(event, digest_size=8, salt=board.pk.to_bytes(16, "big")).digest()
    return event_id.make(accepted_at, int.from_bytes(digest, "big") >> (64 - event_id.RANDOM_BITS))


def _digest(entry: ImportedEntry) -> bytes:
    content = msgspec.json.encode((entry.player, entry.value, entry.region, _metadata(entry.metadata)))
    return hashlib.blake2b(content, digest_size=16).digest()


def _metadata(metadata: bytes | None) -> bytes | None:
    compact = None if metadata is None else msgspec.json.format(metadata, indent=-1)
    if compact is not None and len(compact) > MAX_METADATA_BYTES:
        raise codes.METADATA_TOO_BIG.error(f"metadata is at most {MAX_METADATA_BYTES} bytes of JSON")
    return compact
