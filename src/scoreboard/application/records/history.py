"""History: read the ledger of a board, and import the entries of another ledger."""

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
    """An entry of another ledger."""

    event: str  # the event id as text, which contains the instant of acceptance
    player: str
    value: int
    region: str | None = None
    metadata: bytes | None = None  # JSON


class History:
    """The use cases of a board's ledger. They take a board that `open` returned."""

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
        """Return the instant between the past updates and all later ones.

        It is in microseconds since 1970.
        """
        return self._commit.stamp()

    async def entries(self, board: Board, after: EventId, limit: int) -> list[tuple[Submission, Outcome]]:
        """Return at most `limit` applied submissions after an event, oldest first."""
        async for chunk in self._ledger.entries(board, after, limit):
            return chunk
        return []

    async def import_entries(self, board: Board, entries: Sequence[ImportedEntry]) -> list[Outcome | ScoreboardError]:
        """Apply entries in one transaction, and return the outcome or error of each.

        An entry keeps the instant of its acceptance, and so its season and its place among ties. A board applies an
        entry once: its event id is derived from the board and the original id. An entry that was sent to this board
        itself is a replay. Rate limits and the bounds of one update do not apply.
        """
        checked = [self._check(board, entry) for entry in entries]
        valid = [entry for entry, result in zip(entries, checked, strict=True) if isinstance(result, Submission)]
        sent = await self._ledger.outcomes(board.app, {event_id.from_text(entry.event) for entry in valid})
        results: list[Outcome | ScoreboardError | None] = []
        submissions = []
        for entry, result in zip(entries, checked, strict=True):
            results.append(_sent_outcome(board, entry, sent) if isinstance(result, Submission) else result)
            if results[-1] is None and isinstance(result, Submission):
                submissions.append(result)
        committed = await self._commit.submit(submissions, ranks=False) if submissions else []
        await self._rebuild_if_hidden(board, [result.outcome for result in committed])
        outcomes = (result.outcome for result in committed)
        return [next(outcomes) if result is None else result for result in results]

    def _check(self, board: Board, entry: ImportedEntry) -> Submission | ScoreboardError:
        try:
            return self._to_submission(board, entry)
        except ScoreboardError as error:
            return error

    def _to_submission(self, board: Board, entry: ImportedEntry) -> Submission:
        event = event_id.from_text(entry.event)
        accepted_at = event_id.accepted_at(event)
        if accepted_at > self._clock():
            raise codes.IN_THE_FUTURE.error(
                "the time in the event id is in the future; check the clocks of both servers"
            )
        if not INT64_MIN <= entry.value <= INT64_MAX:
            raise codes.INVALID_VALUE.error("the value must be a signed 64-bit integer")
        if entry.region is not None and entry.region not in board.regions:
            raise codes.UNKNOWN_REGION.error("this board has no such region")
        return Submission(
            _imported_event(board, event, accepted_at),
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

    async def _rebuild_if_hidden(self, board: Board, outcomes: Sequence[Outcome]) -> None:
        """Rebuild the ranking if it ignores imports older than a player's deletion."""
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


def _sent_outcome(board: Board, entry: ImportedEntry, sent: Mapping[EventId, Outcome]) -> Outcome | None:
    """Return the outcome of an entry that was sent to this board itself, or None."""
    outcome = sent.get(event_id.from_text(entry.event))
    if outcome is None or (outcome.status, outcome.board, outcome.player) != ("applied", board.pk, entry.player):
        return None
    return replace(outcome, replayed=True)


def _imported_event(board: Board, event: EventId, accepted_at: int) -> EventId:
    """Derive the event id of an imported entry, with the same instant."""
    digest = hashlib.blake2b(event, digest_size=8, salt=board.pk.to_bytes(16, "big")).digest()
    return event_id.make(accepted_at, int.from_bytes(digest, "big") >> (64 - event_id.RANDOM_BITS))


def _digest(entry: ImportedEntry) -> bytes:
    content = msgspec.json.encode((entry.player, entry.value, entry.region, _metadata(entry.metadata)))
    return hashlib.blake2b(content, digest_size=16).digest()


def _metadata(metadata: bytes | None) -> bytes | None:
    compact = None if metadata is None else msgspec.json.format(metadata, indent=-1)
    if compact is not None and len(compact) > MAX_METADATA_BYTES:
        raise codes.METADATA_TOO_BIG.error(f"metadata may have at most {MAX_METADATA_BYTES:,} bytes of JSON")
    return compact
