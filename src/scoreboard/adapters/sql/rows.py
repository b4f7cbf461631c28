"""Conversions between the rows of the tables and the values of the domain."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from scoreboard.application.ports.ledger import Decision
from scoreboard.domain import event_id
from scoreboard.domain.board import Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

Row: TypeAlias = tuple[Any, ...]
ScopedName: TypeAlias = tuple[int, str]
"""The primary key of an app, with the id of a player or the name of a credential in it."""


class PrimaryKeys:
    """The primary keys that one transaction has found or made.

    The ledger caches those of tables and credentials, but only once the transaction has committed.
    """

    def __init__(self) -> None:
        self.players: dict[ScopedName, int] = {}
        self.tables: dict[TableKey, int] = {}
        self.credentials: dict[ScopedName, int] = {}


def new_rows(decision: Decision, pks: PrimaryKeys) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the rows of ledger, refusals and receipts for the new outcomes."""
    rows: tuple[list[Row], list[Row], list[Row]] = [], [], []
    entries, refusals, receipts = rows
    for submission, outcome in decision.new_outcomes:
        board = submission.board
        app = board.app.pk
        credential = pks.credentials[app, submission.credential]
        if submission.key is not None:
            receipts.append((credential, submission.key, submission.digest, submission.event))
        if outcome.status == "applied":
            entries.append(
                (
                    submission.event,
                    pks.tables[TableKey(board.pk, submission.season, WORLD)],
                    submission.region or None,
                    pks.players[app, submission.player],
                    submission.action.pk if submission.action else None,
                    submission.value,
                    outcome.score,
                    outcome.previous_score,
                    credential,
                    submission.metadata,
                )
            )
        else:
            refusals.append(
                (
                    submission.event,
                    app,
                    board.pk,
                    submission.season,
                    submission.player,
                    submission.value,
                    credential,
                    outcome.code,
                    outcome.detail,
                )
            )
    return rows


def standing_rows(decision: Decision, pks: PrimaryKeys) -> list[tuple[int, int, int, int, int, EventId]]:
    """Return the rows of the changed standings, table by table."""
    apps = {submission.board.pk: submission.board.app.pk for submission, _ in decision.new_outcomes}
    rows = []
    for key, standings in decision.standings.items():
        table, app = pks.tables[key], apps[key.board]
        for player, new in standings.items():
            rows.append((table, pks.players[app, player], new.score, new.reached_at, new.version, new.event))
    return rows


def fact_rows(decision: Decision, pks: PrimaryKeys) -> list[tuple[int, int, str, str, int, int, int]]:
    """Return the rows of the changed facts."""
    return [
        (key.bucket, pks.players[key.app, key.player], key.rule, key.key, fact.count, fact.sum, fact.at)
        for key, fact in decision.facts.items()
    ]


def to_standing(score: int, reached_at: int, version: int, event: EventId) -> Standing:
    """Return a standing from its columns."""
    return Standing(score, reached_at, version, event, event_id.accepted_at(event))


def to_pending(rows: Iterable[Any]) -> list[tuple[TableKey, str, Standing]]:
    """Return the standings of pending projections."""
    return [(TableKey(*row[:3]), row[3], to_standing(*row[4:])) for row in map(tuple, rows)]


def to_applied(event: EventId, board: int, player: str, season: str, score: int, previous: int | None) -> Outcome:
    """Return the outcome of a submission in the ledger."""
    at = event_id.accepted_at(event)
    return Outcome(event, board, player, season, at, "applied", score, previous, score != previous)


def to_refused(event: EventId, board: int, player: str, season: str, code: str, detail: str) -> Outcome:
    """Return the outcome of a refused submission."""
    return Outcome(event, board, player, season, event_id.accepted_at(event), "refused", code=code, detail=detail)


def to_entry(board: Board, row: Row) -> tuple[Submission, Outcome]:
    """Return an entry of the ledger of a board."""
    event, season, region, player, value, score, previous, credential, metadata = row
    at = event_id.accepted_at(event)
    submission = Submission(event, at, board, season, player, value, credential, region or WORLD, metadata=metadata)
    return submission, to_applied(event, board.pk, player, season, score, previous)
