"""SqliteLedger: the ledger, receipts and totals in SQLite."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from scoreboard.adapters.sqlite.database import Database, insert, statements
from scoreboard.adapters.sqlite.outbox import SqliteOutbox
from scoreboard.adapters.sqlite.purging import ReceiptPurger
from scoreboard.application.ports.ledger import MIN_EVENT_ID, BatchState, Decide, Decision, PurgeResult, Receipt
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

SQL = statements("ledger.sql")
CHUNK = 10_000  # rows read at a time when a whole table is
NOTES = 32  # done with, before a batch removes them

Query: TypeAlias = Callable[..., list[Any]]
"""Run a statement with its values: in a transaction or outside."""

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(list[tuple[str, int | None, int | None, int | None, int | None, str]]).decode
_receipts_from_json = msgspec.json.Decoder(list[tuple[str, str, str]]).decode


class _Batch:
    """What one transaction learns of numbers. Kept by the ledger only when it commits."""

    def __init__(self) -> None:
        self.players: dict[tuple[int, str], int | None] = {}
        self.tables: dict[TableKey, int] = {}
        self.credentials: dict[tuple[int, str], int] = {}


class SqliteLedger:
    """One writing process, so the write transaction itself is the lock on the standings.

    With an `outbox`, each transaction writes its events there.
    """

    def __init__(self, database: Database, outbox: SqliteOutbox | None = None) -> None:
        self._database = database
        self._outbox = outbox
        self._tables: dict[TableKey, int] = {}
        self._keys: dict[int, TableKey] = {}
        self._credentials: dict[tuple[int, str], int] = {}
        self._doubtful: set[EventId] = set()  # submissions of a transaction that failed: they may be written
        self._done_notes: list[int] = []
        self._purger = ReceiptPurger(database)

    async def start(self) -> None:
        await self._database.read(self._learn_all)

    def _learn_all(self, c: sqlite3.Connection) -> None:
        """Learn the numbers of tables and credentials; there are few."""
        tables = c.execute(SQL["all_tables"]).fetchall()
        self._learn({TableKey(board, season, region): number for number, board, season, region in tables})
        self._credentials = {(app, name): number for number, app, name in c.execute(SQL["all_credentials"])}

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        learned, done_notes = _Batch(), list[int]()
        if len(self._done_notes) >= NOTES:
            done_notes, self._done_notes = self._done_notes, []
        try:
            decision = await self._database.write(lambda c: self._transact(c, batch, decide, learned, done_notes))
        except BaseException as error:
            self._done_notes += done_notes
            if isinstance(error, Unavailable):
                self._doubtful = {submission.event for submission in batch}
            raise
        self._learn(learned.tables)
        self._credentials.update(learned.credentials)
        self._doubtful = set()
        if self._outbox is not None:
            self._outbox.committed()
        return decision

    def _learn(self, tables: dict[TableKey, int]) -> None:
        self._tables.update(tables)
        self._keys.update({number: key for key, number in tables.items()})

    def _transact(
        self, c: sqlite3.Connection, batch: Sequence[Submission], decide: Decide, learned: _Batch, done_notes: list[int]
    ) -> Decision:
        if self._doubtful:
            self._learn_all(c)  # the transaction in doubt may have made some
        decision = decide(batch, self._read_state(c, batch, learned))
        self._write(c, decision, learned)
        if decision.standings:
            decision.projection_id = self._note(c, decision, learned)
        if done_notes:
            c.execute(SQL["remove_notes"], (_to_json(done_notes).decode(),))
        return decision

    # State

    def _read_state(self, c: sqlite3.Connection, batch: Sequence[Submission], learned: _Batch) -> BatchState:
        state = BatchState()

        def query(statement: str, *values: object) -> list[Any]:
            return c.execute(statement, values).fetchall()

        wanted: dict[TableKey, tuple[int, dict[str, None]]] = {}
        keys: dict[tuple[int, str], list[str]] = {}
        facts: dict[FactKey, None] = {}
        for submission in batch:
            app = submission.board.app.pk
            for key in submission.tables:
                wanted.setdefault(key, (app, {}))[1][submission.player] = None
            if submission.key is not None:
                keys.setdefault((app, submission.credential), []).append(submission.key)
            if submission.rules:
                facts.update(dict.fromkeys(submission.fact_keys))
            if submission.event in self._doubtful and (outcome := self._outcome(query, submission.event)) is not None:
                state.outcomes[submission.event] = outcome
        for key, (app, players) in wanted.items():
            state.standings[key] = self._read_standings(c, key, app, players, learned, state.gone)
        for (app, credential), asked in keys.items():
            self._read_receipts(query, state, app, credential, asked)
        for fact_key in facts:
            self._read_fact(c, state, fact_key, learned)
        return state

    def _read_standings(
        self,
        c: sqlite3.Connection,
        key: TableKey,
        app: int,
        players: dict[str, None],
        learned: _Batch,
        gone: set[int],
    ) -> dict[str, Standing]:
        asked = _to_json(list(players)).decode(), app, self._tables.get(key, -1), key.board
        rows, board_exists = c.execute(SQL["known_standings"], asked).fetchone()
        if not board_exists:
            gone.add(key.board)
        standings = {}
        for player, number, score, reached_at, version, event in _from_json(rows):
            learned.players[app, player] = number
            if score is not None and reached_at is not None and version is not None:
                standings[player] = _standing(score, reached_at, version, EventId(bytes.fromhex(event)))
        return standings

    def _read_receipts(self, query: Query, state: BatchState, app: int, credential: str, keys: Collection[str]) -> None:
        number = self._credentials.get((app, credential))
        if number is None:
            return
        ((rows,),) = query(SQL["known_receipts"], _to_json(list(keys)).decode(), number)
        for key, digest, event in _receipts_from_json(rows):
            outcome = self._outcome(query, EventId(bytes.fromhex(event)))
            state.receipts[app, credential, key] = Receipt(bytes.fromhex(digest), outcome)

    def _read_fact(self, c: sqlite3.Connection, state: BatchState, key: FactKey, learned: _Batch) -> None:
        player = learned.players.get((key.app, key.player))
        if player is not None:  # a new player has no facts
            for row in c.execute(SQL["fact"], (key.bucket, player, key.rule, key.key)):
                state.facts[key] = Fact(*row)

    # What is written

    def _write(self, c: sqlite3.Connection, decision: Decision, learned: _Batch) -> None:
        entries, refusals, receipts = [], [], []
        for submission, outcome in decision.new_outcomes:
            board = submission.board
            credential = self._credential(c, board.app.pk, submission.credential, learned)
            if submission.key is not None:
                receipts.append((credential, submission.key, submission.digest, submission.event))
            if outcome.status == "applied":
                entries.append(
                    (
                        submission.event,
                        self._table(c, TableKey(board.pk, submission.season, WORLD), learned),
                        submission.region or None,
                        self._player(c, board.app.pk, submission.player, learned),
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
                        board.app.pk,
                        board.pk,
                        submission.season,
                        submission.player,
                        submission.value,
                        credential,
                        outcome.code,
                        outcome.detail,
                    )
                )
        for statement, rows in (
            ("add_entry", entries),
            ("add_refusal", refusals),
            ("add_receipt", receipts),
            ("put_standing", self._standing_rows(c, decision, learned)),
        ):
            insert(c, SQL[statement], rows)
        if decision.facts:
            insert(c, SQL["put_fact"], self._fact_rows(c, decision, learned))
        if self._outbox is not None:
            self._outbox.write(c, decision)

    def _standing_rows(
        self, c: sqlite3.Connection, decision: Decision, learned: _Batch
    ) -> list[tuple[int, int, int, int, int, EventId]]:
        apps = {submission.board.pk: submission.board.app.pk for submission, _ in decision.new_outcomes}
        rows = []
        for key, standings in decision.standings.items():
            table, app = self._table(c, key, learned), apps[key.board]
            for player, new in standings.items():
                number = self._player(c, app, player, learned)
                rows.append((table, number, new.score, new.reached_at, new.version, new.event))
        return rows

    def _fact_rows(
        self, c: sqlite3.Connection, decision: Decision, learned: _Batch
    ) -> list[tuple[int, int, str, str, int, int, int]]:
        return [
            (
                key.bucket,
                self._player(c, key.app, key.player, learned),
                key.rule,
                key.key,
                fact.count,
                fact.sum,
                fact.at,
            )
            for key, fact in decision.facts.items()
        ]

    def _note(self, c: sqlite3.Connection, decision: Decision, learned: _Batch) -> int:
        apps = {submission.board.pk: submission.board.app.pk for submission, _ in decision.new_outcomes}
        changed = [
            (self._table(c, key, learned), [learned.players[apps[key.board], player] for player in standings])
            for key, standings in decision.standings.items()
        ]
        return c.execute(SQL["add_note"], (_to_json(changed).decode(),)).lastrowid or 0

    def _player(self, c: sqlite3.Connection, app: int, player: str, learned: _Batch) -> int:
        number = learned.players.get((app, player))
        if number is None:
            number = _added(c, "add_player", app, player)
            learned.players[app, player] = number
        return number

    def _table(self, c: sqlite3.Connection, key: TableKey, learned: _Batch) -> int:
        number = self._tables.get(key) or learned.tables.get(key)
        if number is None:
            number = learned.tables[key] = _added(c, "add_table", *key)
        return number

    def _credential(self, c: sqlite3.Connection, app: int, name: str, learned: _Batch) -> int:
        number = self._credentials.get((app, name)) or learned.credentials.get((app, name))
        if number is None:
            number = learned.credentials[app, name] = _added(c, "add_credential", app, name)
        return number

    # Reads

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        state = BatchState()
        self._read_receipts(self._database.point, state, app.pk, credential, keys)
        return {key: receipt for (_, _, key), receipt in state.receipts.items()}

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        query = self._database.point
        outcome = self._outcome(query, event)
        if outcome is None:
            return None
        return outcome if query(SQL["owner_of_board"], outcome.board) == [(app.pk,)] else None

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        found = {}
        for event in events:
            if (outcome := await self.outcome(app, event)) is not None:
                found[event] = outcome
            await asyncio.sleep(0)  # a thousand reads in a row hold nobody up
        return found

    def _outcome(self, query: Query, event: EventId) -> Outcome | None:
        at = event_id.accepted_at(event)
        for _, table, player, score, previous in query(SQL["ledger_outcome"], event):
            key = self._keys.get(table)
            if key is None:
                return None
            return Outcome(event, key.board, player, key.season, at, "applied", score, previous, score != previous)
        for _, _, board, season, player, code, detail in query(SQL["refusal_outcome"], event):
            return Outcome(event, board, player, season, at, "refused", code=code, detail=detail)
        return None

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None:
        table = self._tables.get(key)
        rows = self._database.point(SQL["standing"], table, app.pk, player)
        return _standing(*rows[0]) if rows else None

    async def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        table, after = self._tables.get(key), 0
        while table is not None:
            rows = await self._rows("standings_after", table, after, CHUNK)
            if not rows:
                return
            after = rows[-1][5]
            yield [(row[0], _standing(*row[1:5])) for row in rows]

    async def _rows(self, statement: str, *values: object) -> list[Any]:
        return await self._database.read(lambda c: c.execute(SQL[statement], values).fetchall())

    async def tables(self, board: Board) -> list[TableKey]:
        return [key for key in list(self._tables) if key.board == board.pk]

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        done = list(self._done_notes)

        def read(c: sqlite3.Connection) -> tuple[list[int], list[tuple[int, str, int, int, int, EventId]]]:
            asked = (_to_json(done).decode(),)
            notes = [number for (number,) in c.execute(SQL["open_notes"], asked)]
            return notes, c.execute(SQL["unranked"], asked).fetchall()

        notes, rows = await self._database.read(read)
        return notes, [
            (self._keys[table], player, _standing(score, reached_at, version, event))
            for table, player, score, reached_at, version, event in rows
            if table in self._keys
        ]

    async def ack_projections(self, notes: Collection[int]) -> None:
        self._done_notes += notes

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        return await self._purger.purge(before, facts_before)

    async def latest_instant(self) -> int:
        (event,) = await self._database.read(lambda c: c.execute(SQL["latest_event"]).fetchone())
        return 0 if event is None else event_id.accepted_at(event)

    async def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = CHUNK
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        while True:
            rows = await self._rows("entries_after", board.pk, after, chunk)
            if not rows:
                return
            after = rows[-1][0]
            yield [_entry(board, row) for row in rows]


def _added(c: sqlite3.Connection, statement: str, *values: object) -> int:
    return int(c.execute(SQL[statement], values).fetchone()[0])


def _standing(score: int, reached_at: int, version: int, event: EventId) -> Standing:
    return Standing(score, reached_at, version, event, event_id.accepted_at(event))


def _entry(
    board: Board, row: tuple[EventId, str, str | None, str, int, int, int | None, str, bytes | None]
) -> tuple[Submission, Outcome]:
    event, season, region, player, value, score, previous, credential, metadata = row
    at = event_id.accepted_at(event)
    submission = Submission(event, at, board, season, player, value, credential, region or WORLD, metadata=metadata)
    return submission, Outcome(event, board.pk, player, season, at, "applied", score, previous, score != previous)
