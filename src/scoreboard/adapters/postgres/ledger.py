"""PostgresLedger: the ledger, receipts and totals in PostgreSQL, for any number of processes."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import asyncpg

from scoreboard.adapters.postgres.database import NUL, Again, Connection, Database, Reading, statements
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.purging import ReceiptPurger
from scoreboard.application.ports.ledger import MIN_EVENT_ID, BatchState, Decide, Decision, PurgeResult, Receipt
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

SQL = statements("ledger.sql")
CHUNK = 10_000  # rows read at a time when a whole table is
NOTES = 10_000  # looked at, at the most, in one call
FRESH_S = 2.0  # for so long a note is left to the process that made it
ROW_S = 2.0  # for a row that is looked up by its key, while a client waits
MAX_EVENT_ID = EventId(b"\xff" * 16)

_Named: TypeAlias = tuple[int, str]
"""The number of an app, and the id of a player or the name of a credential in it."""


class _Numbers:
    """The numbers that one transaction knows. What it made is kept by the ledger only when it commits."""

    def __init__(self) -> None:
        self.players: dict[_Named, int] = {}
        self.new_players: set[int] = set()
        self.tables: dict[TableKey, int] = {}
        self.credentials: dict[_Named, int] = {}


class PostgresLedger:
    """The locks are the rows of the players; whatever two processes may write otherwise is a unique row.

    Notes are told by `unranked` when they are older than `fresh_s`: younger ones are being ranked by who made them.
    Whole tables, and the ledger, are read from `reading`. With an `outbox`, each transaction writes its events there.
    """

    def __init__(
        self,
        database: Database,
        fresh_s: float = FRESH_S,
        reading: Reading | None = None,
        outbox: PostgresOutbox | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._reading = reading or database
        self._fresh_s = fresh_s
        self._tables: dict[TableKey, int] = {}
        self._credentials: dict[_Named, int] = {}
        self._done_notes: list[int] = []
        self._purger = ReceiptPurger(database)

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        done_notes, self._done_notes = self._done_notes, []

        async def work(c: Connection) -> tuple[Decision, _Numbers]:
            return await self._transact(c, batch, decide, done_notes)

        try:
            # A unique row that another process wrote first is known at the next attempt.
            decision, numbers = await self._database.transaction(work, again=asyncpg.UniqueViolationError)
        except BaseException:
            self._done_notes += done_notes
            raise
        self._tables.update(numbers.tables)
        self._credentials.update(numbers.credentials)
        if self._outbox is not None:
            self._outbox.committed()
        return decision

    async def _transact(
        self, c: Connection, batch: Sequence[Submission], decide: Decide, done_notes: list[int]
    ) -> tuple[Decision, _Numbers]:
        numbers = _Numbers()
        gone = await self._hold(c, batch, numbers)
        state = await self._read_state(c, [one for one in batch if one.board.pk not in gone], numbers)
        state.gone = gone
        decision = decide(batch, state)
        await self._write(c, decision, numbers, done_notes)
        return decision, numbers

    # State

    async def _hold(self, c: Connection, batch: Sequence[Submission], numbers: _Numbers) -> set[int]:
        """Lock the batch's boards and players, made where they are new. Returns the boards that are gone."""
        boards = {one.board.pk for one in batch}
        players = {(one.board.app.pk, one.player) for one in batch}
        alive = set()
        for number, app, player, is_new in await c.fetch(SQL["hold"], list(boards), *_columns(players, 2)):
            if player is None:
                alive.add(number)
            else:
                numbers.players[app, player] = number
            if is_new:
                numbers.new_players.add(number)
        gone = boards - alive
        if any(_player(one) not in numbers.players for one in batch if one.board.pk not in gone):
            raise Again
        return gone

    async def _read_state(self, c: Connection, batch: Sequence[Submission], numbers: _Numbers) -> BatchState:
        await self._find_tables(c, {key for one in batch for key in one.tables}, numbers)
        await self._find_credentials(c, {_credential(one) for one in batch if one.key is not None}, numbers)
        state = BatchState()
        standings, keys, facts = set(), set(), set()
        for one in batch:
            for key in one.tables:
                state.standings.setdefault(key, {})
                if key in numbers.tables:
                    standings.add((numbers.tables[key], numbers.players[_player(one)]))
            if one.key is not None and _credential(one) in numbers.credentials:
                keys.add((numbers.credentials[_credential(one)], one.key))
            if one.rules:
                facts.update(one.fact_keys)
        events = {one.event for one in batch}
        (row,) = await c.fetch(
            SQL["state"],
            *_columns(standings, 2),
            list(events),
            *_columns(keys, 2),
            *_columns([_stored_key(key, numbers) for key in facts], 4),
        )
        _learn_standings(state, row[0], numbers)
        outcomes = _outcomes(row[2], row[3])
        _learn_receipts(state, row[1], outcomes, numbers)
        state.outcomes = {event: outcome for event, outcome in outcomes.items() if event in events}
        found = {stored[:4]: Fact(*stored[4:]) for stored in map(tuple, row[4])}
        state.facts = {key: found[stored] for key in facts if (stored := _stored_key(key, numbers)) in found}
        return state

    async def _find_tables(self, c: Connection, wanted: set[TableKey], numbers: _Numbers) -> None:
        """What is not known yet may have been made by another process; after the locks, no more."""
        numbers.tables = {key: self._tables[key] for key in wanted if key in self._tables}
        if missing := wanted - numbers.tables.keys():
            rows = await c.fetch(SQL["find_tables"], *_columns(missing, 3))
            numbers.tables.update({TableKey(*key): number for number, *key in rows})

    async def _find_credentials(self, c: Connection, wanted: set[_Named], numbers: _Numbers) -> None:
        numbers.credentials = {key: self._credentials[key] for key in wanted if key in self._credentials}
        if missing := wanted - numbers.credentials.keys():
            rows = await c.fetch(SQL["find_credentials"], *_columns(missing, 2))
            numbers.credentials.update({(app, name): number for number, app, name in rows})

    # What is written

    async def _write(self, c: Connection, decision: Decision, numbers: _Numbers, done_notes: list[int]) -> None:
        await self._make_what_is_missing(c, decision, numbers)
        standings = _standing_rows(decision, numbers)
        new = decision.new_outcomes
        entries = [_entry_row(one, outcome, numbers) for one, outcome in new if outcome.status == "applied"]
        refusals = [_refusal_row(one, outcome, numbers) for one, outcome in new if outcome.status != "applied"]
        receipts = [
            (numbers.credentials[_credential(one)], one.key, one.digest, one.event)
            for one, _ in decision.new_outcomes
            if one.key is not None
        ]
        # In the order of the key, so that two batches never wait for each other's.
        receipts.sort(key=lambda row: row[:2])
        if entries or standings or receipts or done_notes:
            columns = (*_columns(entries, 11), *_columns(standings, 7), *_columns(receipts, 4))
            for (number,) in await c.fetch(SQL["write"], *columns, done_notes):
                decision.projection_id = number
        if refusals:
            await c.fetch(SQL["add_refusals"], *_columns(refusals, 9))
        if decision.facts:
            facts = [
                (*_stored_key(key, numbers), fact.count, fact.sum, fact.at) for key, fact in decision.facts.items()
            ]
            await c.fetch(SQL["put_facts"], *_columns(facts, 7))
        unused = numbers.new_players.difference(row[1] for row in standings)
        if unused:
            await c.fetch(SQL["remove_players"], list(unused))
        if self._outbox is not None:
            await self._outbox.write(c, decision)

    async def _make_what_is_missing(self, c: Connection, decision: Decision, numbers: _Numbers) -> None:
        """Tables and credentials. Raises Again when another process is making one."""
        tables = decision.standings.keys() - numbers.tables.keys()
        if tables:
            rows = await c.fetch(SQL["add_tables"], *_columns(tables, 3))
            numbers.tables.update({TableKey(*key): number for number, *key in rows})
        credentials = {_credential(one) for one, _ in decision.new_outcomes}
        await self._find_credentials(c, credentials, numbers)
        credentials -= numbers.credentials.keys()
        if credentials:
            rows = await c.fetch(SQL["add_credentials"], *_columns(credentials, 2))
            numbers.credentials.update({(app, name): number for number, app, name in rows})
        if tables - numbers.tables.keys() or credentials - numbers.credentials.keys():
            raise Again

    # Reads

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        rows = await self._database.fetch(SQL["receipts"], app.pk, credential, list(keys), within_s=ROW_S)
        outcomes = await self.outcomes(app, [EventId(event) for _, _, event in rows])
        return {key: Receipt(digest, outcomes.get(EventId(event))) for key, digest, event in rows}

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        rows = await self._database.fetch(SQL["outcome"], app.pk, event, event_id.accepted_at(event), within_s=ROW_S)
        return _outcome(*rows[0]) if rows else None

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        if not events:
            return {}
        rows = await self._database.fetch(SQL["outcomes"], app.pk, list(events), within_s=ROW_S)
        return {EventId(row[0]): _outcome(*row) for row in map(tuple, rows)}

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None:
        rows = await self._database.fetch(SQL["standing"], *key, app.pk, player) if NUL not in player else []
        return _standing(*rows[0]) if rows else None

    async def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        after = 0
        while rows := await self._reading.fetch(SQL["standings_after"], *key, after, CHUNK):
            after = rows[-1][5]
            yield [(row[0], _standing(*row[1:5])) for row in map(tuple, rows)]

    async def tables(self, board: Board) -> list[TableKey]:
        return [TableKey(*row) for row in await self._database.fetch(SQL["tables_of_board"], board.pk)]

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        await self._remove_done_notes()
        notes = [number for (number,) in await self._database.fetch(SQL["open_notes"], self._fresh_s, NOTES)]
        rows = await self._database.fetch(SQL["unranked"], notes) if notes else []
        return notes, [(TableKey(*row[:3]), row[3], _standing(*row[4:])) for row in map(tuple, rows)]

    async def ack_projections(self, notes: Collection[int]) -> None:
        self._done_notes += notes

    async def _remove_done_notes(self) -> None:
        """Where no batch comes to remove them, who asks for the others does."""
        notes, self._done_notes = self._done_notes, []
        try:
            if notes:
                await self._database.fetch(SQL["remove_notes"], notes)
        except BaseException:
            self._done_notes += notes
            raise

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        return await self._purger.purge(before, facts_before)

    async def latest_instant(self) -> int:
        ((event,),) = await self._database.fetch(SQL["latest_event"])
        return 0 if event is None else event_id.accepted_at(event)

    async def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = CHUNK
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        """Window after window of the whole ledger, so that no statement is long however few entries the board has."""
        last = MIN_EVENT_ID
        while last != MAX_EVENT_ID:
            found = await self._reading.fetch(
                SQL["entries_window"], after, event_id.accepted_at(after), max(chunk, CHUNK)
            )
            last = found[0][0] if found else MAX_EVENT_ID
            while rows := await self._entries_between(board, after, last, chunk):
                after = rows[-1][0]
                yield [_entry(board, *row) for row in rows]
            after = last

    async def _entries_between(self, board: Board, after: EventId, last: EventId, limit: int) -> list[tuple[Any, ...]]:
        span = event_id.accepted_at(after), event_id.accepted_at(last)
        rows = await self._reading.fetch(SQL["entries_between"], board.pk, after, last, *span, limit)
        return [tuple(row) for row in rows]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Rows as the columns that a statement takes."""
    return list(zip(*rows, strict=True)) or [()] * width


def _player(submission: Submission) -> _Named:
    return submission.board.app.pk, submission.player


def _stored_key(key: FactKey, numbers: _Numbers) -> tuple[int, int, str, str]:
    return key.bucket, numbers.players[key.app, key.player], key.rule, key.key


def _credential(submission: Submission) -> _Named:
    return submission.board.app.pk, submission.credential


def _learn_standings(state: BatchState, rows: Sequence[Any], numbers: _Numbers) -> None:
    tables = {number: key for key, number in numbers.tables.items()}
    players = {number: player for (_, player), number in numbers.players.items()}
    for table, player, score, reached_at, version, event in rows:
        state.standings[tables[table]][players[player]] = _standing(score, reached_at, version, event)


def _learn_receipts(
    state: BatchState, rows: Sequence[Any], outcomes: dict[EventId, Outcome], numbers: _Numbers
) -> None:
    credentials = {number: named for named, number in numbers.credentials.items()}
    for credential, key, digest, event in rows:
        state.receipts[*credentials[credential], key] = Receipt(digest, outcomes.get(EventId(event)))


def _outcomes(applied: Sequence[Any], refused: Sequence[Any]) -> dict[EventId, Outcome]:
    outcomes = [_applied(*row) for row in applied] + [_refused(*row) for row in refused]
    return {outcome.event: outcome for outcome in outcomes}


def _applied(event: EventId, board: int, player: str, season: str, score: int, previous: int | None) -> Outcome:
    at = event_id.accepted_at(event)
    return Outcome(event, board, player, season, at, "applied", score, previous, score != previous)


def _refused(event: EventId, board: int, player: str, season: str, code: str, detail: str) -> Outcome:
    return Outcome(event, board, player, season, event_id.accepted_at(event), "refused", code=code, detail=detail)


def _outcome(
    event: EventId, board: int, player: str, season: str, score: int, previous: int | None, code: str, detail: str
) -> Outcome:
    if code:
        return _refused(event, board, player, season, code, detail)
    return _applied(event, board, player, season, score, previous)


def _standing(score: int, reached_at: int, version: int, event: EventId) -> Standing:
    return Standing(score, reached_at, version, event, event_id.accepted_at(event))


def _entry_row(submission: Submission, outcome: Outcome, numbers: _Numbers) -> tuple[Any, ...]:
    return (
        submission.event,
        submission.accepted_at,
        numbers.tables[submission.tables[0]],
        submission.region or None,
        numbers.players[_player(submission)],
        submission.action.pk if submission.action else None,
        submission.value,
        outcome.score,
        outcome.previous_score,
        numbers.credentials[_credential(submission)],
        submission.metadata,
    )


def _refusal_row(submission: Submission, outcome: Outcome, numbers: _Numbers) -> tuple[Any, ...]:
    board = submission.board
    return (
        submission.event,
        board.app.pk,
        board.pk,
        submission.season,
        submission.player,
        submission.value,
        numbers.credentials[_credential(submission)],
        outcome.code,
        outcome.detail,
    )


def _standing_rows(decision: Decision, numbers: _Numbers) -> list[tuple[Any, ...]]:
    apps = {one.board.pk: one.board.app.pk for one, _ in decision.new_outcomes}
    return [
        (
            numbers.tables[key],
            numbers.players[apps[key.board], player],
            new.score,
            new.reached_at,
            new.version,
            new.event,
            player,
        )
        for key, standings in decision.standings.items()
        for player, new in standings.items()
    ]


def _entry(
    board: Board,
    event: EventId,
    season: str,
    region: str | None,
    player: str,
    value: int,
    score: int,
    previous: int | None,
    credential: str,
    metadata: bytes | None,
) -> tuple[Submission, Outcome]:
    at = event_id.accepted_at(event)
    submission = Submission(event, at, board, season, player, value, credential, region or WORLD, metadata=metadata)
    return submission, _applied(event, board.pk, player, season, score, previous)
