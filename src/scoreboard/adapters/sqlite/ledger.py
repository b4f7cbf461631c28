"""The ledger, receipts and totals in SQLite."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from scoreboard.adapters.sql.rows import (
    PrimaryKeys,
    ScopedName,
    fact_rows,
    new_rows,
    standing_rows,
    to_applied,
    to_entry,
    to_pending,
    to_refused,
    to_standing,
)
from scoreboard.adapters.sqlite.database import Database, insert, statements
from scoreboard.adapters.sqlite.outbox import SqliteOutbox
from scoreboard.adapters.sqlite.purging import SqlitePurger
from scoreboard.application.ports.ledger import MIN_EVENT_ID, BatchState, Decide, Decision, PurgeResult, Receipt
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Standing, Submission, TableKey

SQL = statements("ledger.sql")
CHUNK = 10_000  # rows of one read of a whole table
NOTES = 32  # acknowledged projection notes that a batch removes together

Query: TypeAlias = Callable[..., list[Any]]
"""Run a statement with its values, inside or outside a transaction."""

_to_json = msgspec.json.Encoder().encode
_standings_from_json = msgspec.json.Decoder(
    list[tuple[str, int | None, int | None, int | None, int | None, str]]
).decode
_receipts_from_json = msgspec.json.Decoder(list[tuple[str, str, str]]).decode


class SqliteLedger:
    """One process writes, so its write transaction is the lock on all standings.

    With an `outbox`, each transaction writes its events there.
    """

    def __init__(self, database: Database, outbox: SqliteOutbox | None = None) -> None:
        self.database = database
        self._outbox = outbox
        self._tables: dict[TableKey, int] = {}
        self._keys: dict[int, TableKey] = {}
        self.credentials: dict[ScopedName, int] = {}
        self._unconfirmed: set[EventId] = set()  # submissions of a failed transaction, which may have committed
        self._done_notes: list[int] = []
        self._purger = SqlitePurger(database)

    async def start(self) -> None:
        """Fill the caches."""
        await self.database.read(self._cache_all)

    def _cache_all(self, c: sqlite3.Connection) -> None:
        """Cache the primary keys of all tables and credentials; there are few."""
        tables = c.execute(SQL["all_tables"]).fetchall()
        self._cache_tables({TableKey(board, season, region): pk for pk, board, season, region in tables})
        self.credentials = {(app, name): pk for pk, app, name in c.execute(SQL["all_credentials"])}

    def _cache_tables(self, tables: dict[TableKey, int]) -> None:
        self._tables.update(tables)
        self._keys.update({pk: key for key, pk in tables.items()})

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        pks, done_notes = PrimaryKeys(), list[int]()
        if len(self._done_notes) >= NOTES:
            done_notes, self._done_notes = self._done_notes, []
        try:
            decision = await self.database.write(lambda c: self._transact(c, batch, decide, pks, done_notes))
        except BaseException as error:
            self._done_notes += done_notes
            if isinstance(error, Unavailable):
                self._unconfirmed = {submission.event for submission in batch}
            raise
        self._cache_tables(pks.tables)
        self.credentials.update(pks.credentials)
        self._unconfirmed = set()
        if self._outbox is not None:
            self._outbox.committed()
        return decision

    def _transact(
        self,
        c: sqlite3.Connection,
        batch: Sequence[Submission],
        decide: Decide,
        pks: PrimaryKeys,
        done_notes: list[int],
    ) -> Decision:
        if self._unconfirmed:
            self._cache_all(c)  # The unconfirmed transaction may have added some.
        decision = decide(batch, self._read_state(c, batch, pks))
        self._write(c, decision, pks)
        if done_notes:
            c.execute(SQL["remove_notes"], (_to_json(done_notes).decode(),))
        return decision

    def _read_state(self, c: sqlite3.Connection, batch: Sequence[Submission], pks: PrimaryKeys) -> BatchState:
        state = BatchState()

        def query(statement: str, *values: object) -> list[Any]:
            return c.execute(statement, values).fetchall()

        wanted: dict[TableKey, tuple[int, dict[str, None]]] = {}
        keys: dict[ScopedName, list[str]] = {}
        facts: dict[FactKey, None] = {}
        for submission in batch:
            app = submission.board.app.pk
            for key in submission.tables:
                wanted.setdefault(key, (app, {}))[1][submission.player] = None
            if submission.key is not None:
                keys.setdefault((app, submission.credential), []).append(submission.key)
            if submission.rules:
                facts.update(dict.fromkeys(submission.fact_keys))
            if submission.event in self._unconfirmed and (outcome := self._outcome(query, submission.event)):
                state.outcomes[submission.event] = outcome
        for key, (app, players) in wanted.items():
            state.standings[key] = self._read_standings(c, key, app, players, pks, state.gone)
        for (app, credential), requested in keys.items():
            self._read_receipts(query, state, app, credential, requested)
        for fact_key in facts:
            self._read_fact(c, state, fact_key, pks)
        return state

    def _read_standings(
        self, c: sqlite3.Connection, key: TableKey, app: int, players: dict[str, None], pks: PrimaryKeys, gone: set[int]
    ) -> dict[str, Standing]:
        table = self._tables.get(key)
        if table is not None:
            pks.tables[key] = table
        values = _to_json(list(players)).decode(), app, table, key.board
        rows, board_exists = c.execute(SQL["batch_standings"], values).fetchone()
        if not board_exists:
            gone.add(key.board)
        standings = {}
        for player, pk, score, reached_at, version, event in _standings_from_json(rows):
            if pk is not None:
                pks.players[app, player] = pk
            if score is not None and reached_at is not None and version is not None:
                standings[player] = to_standing(score, reached_at, version, EventId(bytes.fromhex(event)))
        return standings

    def _read_receipts(self, query: Query, state: BatchState, app: int, credential: str, keys: Collection[str]) -> None:
        pk = self.credentials.get((app, credential))
        if pk is None:
            return
        ((rows,),) = query(SQL["receipts"], _to_json(list(keys)).decode(), pk)
        for key, digest, event in _receipts_from_json(rows):
            outcome = self._outcome(query, EventId(bytes.fromhex(event)))
            state.receipts[app, credential, key] = Receipt(bytes.fromhex(digest), outcome)

    def _read_fact(self, c: sqlite3.Connection, state: BatchState, key: FactKey, pks: PrimaryKeys) -> None:
        player = pks.players.get((key.app, key.player))
        if player is not None:  # A new player has no facts.
            for row in c.execute(SQL["fact"], (key.bucket, player, key.rule, key.key)):
                state.facts[key] = Fact(*row)

    def _write(self, c: sqlite3.Connection, decision: Decision, pks: PrimaryKeys) -> None:
        self._add_missing(c, decision, pks)
        entries, refusals, receipts = new_rows(decision, pks)
        standings = standing_rows(decision, pks)
        for statement, rows in (
            ("add_entry", entries),
            ("add_refusal", refusals),
            ("add_receipt", receipts),
            ("put_standing", standings),
        ):
            insert(c, SQL[statement], rows)
        if decision.facts:
            insert(c, SQL["put_fact"], fact_rows(decision, pks))
        if self._outbox is not None:
            self._outbox.write(c, decision)
        if standings:
            note = [(table, [row[1] for row in rows]) for table, rows in groupby(standings, itemgetter(0))]
            decision.projection_id = c.execute(SQL["add_note"], (_to_json(note).decode(),)).lastrowid or 0

    def _add_missing(self, c: sqlite3.Connection, decision: Decision, pks: PrimaryKeys) -> None:
        """Add the tables, players and credentials of a decision that are new."""
        for key in decision.standings:
            if key not in pks.tables:
                pks.tables[key] = _add(c, "add_table", *key)
        for submission, outcome in decision.new_outcomes:
            app = submission.board.app.pk
            credential, player = (app, submission.credential), (app, submission.player)
            if credential not in pks.credentials:
                pks.credentials[credential] = self.credentials.get(credential) or _add(c, "add_credential", *credential)
            if outcome.status == "applied" and player not in pks.players:
                pks.players[player] = _add(c, "add_player", *player)

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        state = BatchState()
        self._read_receipts(self.database.point, state, app.pk, credential, keys)
        return {key: receipt for (_, _, key), receipt in state.receipts.items()}

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        query = self.database.point
        outcome = self._outcome(query, event)
        if outcome is None:
            return None
        return outcome if query(SQL["owner_of_board"], outcome.board) == [(app.pk,)] else None

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        found = {}
        for event in events:
            if (outcome := await self.outcome(app, event)) is not None:
                found[event] = outcome
            await asyncio.sleep(0)  # A thousand reads in a row would block the event loop.
        return found

    def _outcome(self, query: Query, event: EventId) -> Outcome | None:
        for table, player, score, previous in query(SQL["ledger_outcome"], event):
            key = self._keys.get(table)
            return None if key is None else to_applied(event, key.board, player, key.season, score, previous)
        for row in query(SQL["refusal_outcome"], event):
            return to_refused(*row)
        return None

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None:
        rows = self.database.point(SQL["standing"], self._tables.get(key), app.pk, player)
        return to_standing(*rows[0]) if rows else None

    async def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        table, after = self._tables.get(key), 0
        while rows := await self.database.fetch(SQL["standings_after"], table, after, CHUNK):
            after = rows[-1][5]
            yield [(row[0], to_standing(*row[1:5])) for row in rows]

    async def tables(self, board: Board) -> list[TableKey]:
        return [key for key in list(self._tables) if key.board == board.pk]

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        done = _to_json(self._done_notes).decode()

        def read(c: sqlite3.Connection) -> tuple[list[int], list[Any]]:
            notes = [note for (note,) in c.execute(SQL["open_notes"], (done,))]
            return notes, c.execute(SQL["pending_standings"], (done,)).fetchall()

        notes, rows = await self.database.read(read)
        return notes, to_pending(rows)

    async def ack_projections(self, notes: Collection[int]) -> None:
        self._done_notes += notes

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        return await self._purger.purge(before, facts_before)

    async def latest_instant(self) -> int:
        ((event,),) = await self.database.fetch(SQL["latest_event"])
        return event_id.accepted_at(event or MIN_EVENT_ID)

    async def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = CHUNK
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        while rows := await self.database.fetch(SQL["entries_after"], board.pk, after, chunk):
            after = rows[-1][0]
            yield [to_entry(board, row) for row in rows]


def _add(c: sqlite3.Connection, statement: str, *values: object) -> int:
    return int(c.execute(SQL[statement], values).fetchone()[0])
