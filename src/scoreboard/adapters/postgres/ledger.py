"""The ledger, receipts and totals in PostgreSQL, for several processes."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from scoreboard.adapters.postgres.database import NUL, Connection, Database, Reader, RetryTransaction, statements
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.purging import PostgresPurger
from scoreboard.adapters.sql.rows import (
    PrimaryKeys,
    Row,
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
from scoreboard.application.ports.ledger import MIN_EVENT_ID, BatchState, Decide, Decision, PurgeResult, Receipt
from scoreboard.domain import event_id
from scoreboard.domain.board import App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Standing, Submission, TableKey

SQL = statements("ledger.sql")
CHUNK = 10_000  # rows of one read of a whole table
NOTES = 10_000  # read at most in one call
FRESH_S = 2.0  # A projection note of this age may still be processed by the process that wrote it.
MAX_EVENT_ID = EventId(b"\xff" * 16)


class PostgresLedger:
    """A ledger that locks the rows of players.

    Unique rows resolve all other conflicts between processes.

    `pending_projections` returns notes that are older than `fresh_s`, in seconds. Whole tables and the ledger are read
    from `reader`, `chunk` rows at a time. With an `outbox`, each transaction writes its events there.
    """

    def __init__(
        self,
        database: Database,
        fresh_s: float = FRESH_S,
        reader: Reader | None = None,
        outbox: PostgresOutbox | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self.database = database
        self._row_s = database.timeouts.row_s
        self._outbox = outbox
        self._reader = reader or database
        self._fresh_s = fresh_s
        self._chunk = chunk
        self._tables: dict[TableKey, int] = {}
        self._credentials: dict[ScopedName, int] = {}
        self._done_notes: list[int] = []
        self._purger = PostgresPurger(database)

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        done_notes, self._done_notes = self._done_notes, []

        async def work(c: Connection) -> tuple[Decision, PrimaryKeys]:
            return await self._transact(c, batch, decide, done_notes)

        try:
            # The next attempt finds a unique row that another process wrote first.
            decision, pks = await self.database.transaction(work, retry_on=asyncpg.UniqueViolationError)
        except BaseException:
            self._done_notes += done_notes
            raise
        self._tables.update(pks.tables)
        self._credentials.update(pks.credentials)
        if self._outbox is not None:
            self._outbox.committed()
        return decision

    async def _transact(
        self, c: Connection, batch: Sequence[Submission], decide: Decide, done_notes: list[int]
    ) -> tuple[Decision, PrimaryKeys]:
        pks = PrimaryKeys()
        gone, new_players = await self._lock(c, batch, pks)
        state = await self._read_state(c, [one for one in batch if one.board.pk not in gone], pks)
        state.gone = gone
        decision = decide(batch, state)
        await self._write(c, decision, pks, new_players, done_notes)
        return decision, pks

    async def _lock(self, c: Connection, batch: Sequence[Submission], pks: PrimaryKeys) -> tuple[set[int], set[int]]:
        """Lock boards, and lock or add players; return deleted boards and new players."""
        boards = {one.board.pk for one in batch}
        players = {(one.board.app.pk, one.player) for one in batch}
        found, new_players = set(), set()
        for pk, app, player, is_new in await c.fetch(SQL["lock"], list(boards), *_columns(players, 2)):
            if player is None:
                found.add(pk)
            else:
                pks.players[app, player] = pk
            if is_new:
                new_players.add(pk)
        gone = boards - found
        if any((one.board.app.pk, one.player) not in pks.players for one in batch if one.board.pk not in gone):
            raise RetryTransaction
        return gone, new_players

    async def _read_state(self, c: Connection, batch: Sequence[Submission], pks: PrimaryKeys) -> BatchState:
        await self._find_tables(c, {key for one in batch for key in one.tables}, pks)
        await self._find_credentials(c, {_credential(one) for one in batch if one.key is not None}, pks)
        state = BatchState()
        standings, receipts, facts = set(), set(), dict[tuple[int, int, str, str], FactKey]()
        for one in batch:
            app = one.board.app.pk
            for key in one.tables:
                state.standings.setdefault(key, {})
                if key in pks.tables:
                    standings.add((pks.tables[key], pks.players[app, one.player]))
            if one.key is not None and (credential := pks.credentials.get((app, one.credential))) is not None:
                receipts.add((credential, one.key))
            if one.rules:
                for fact_key in one.fact_keys:
                    player = pks.players[fact_key.app, fact_key.player]
                    facts[fact_key.bucket, player, fact_key.rule, fact_key.key] = fact_key
        events = {one.event for one in batch}
        columns = (*_columns(standings, 2), list(events), *_columns(receipts, 2), *_columns(facts, 4))
        ((standings_found, receipts_found, applied, refused, facts_found),) = await c.fetch(SQL["state"], *columns)
        tables = {pk: key for key, pk in pks.tables.items()}
        players = {pk: player for (_, player), pk in pks.players.items()}
        for table, pk, *standing in standings_found:
            state.standings[tables[table]][players[pk]] = to_standing(*standing)
        outcomes = {outcome.event: outcome for outcome in (to_applied(*row) for row in applied)}
        outcomes |= {outcome.event: outcome for outcome in (to_refused(*row) for row in refused)}
        credentials = {pk: name for name, pk in pks.credentials.items()}
        for credential, key, digest, event in receipts_found:
            state.receipts[*credentials[credential], key] = Receipt(digest, outcomes.get(EventId(event)))
        state.outcomes = {event: outcome for event, outcome in outcomes.items() if event in events}
        state.facts = {facts[row[:4]]: Fact(*row[4:]) for row in map(tuple, facts_found)}
        return state

    async def _find_tables(self, c: Connection, wanted: set[TableKey], pks: PrimaryKeys) -> None:
        """Find the tables of the locked boards, also those that other processes added."""
        pks.tables = {key: self._tables[key] for key in wanted if key in self._tables}
        if missing := wanted - pks.tables.keys():
            rows = await c.fetch(SQL["find_tables"], *_columns(missing, 3))
            pks.tables.update({TableKey(*key): pk for pk, *key in rows})

    async def _find_credentials(self, c: Connection, wanted: set[ScopedName], pks: PrimaryKeys) -> None:
        pks.credentials = {key: self._credentials[key] for key in wanted if key in self._credentials}
        if missing := wanted - pks.credentials.keys():
            rows = await c.fetch(SQL["find_credentials"], *_columns(missing, 2))
            pks.credentials.update({(app, name): pk for pk, app, name in rows})

    async def _write(
        self, c: Connection, decision: Decision, pks: PrimaryKeys, new_players: set[int], done_notes: list[int]
    ) -> None:
        await self._add_missing(c, decision, pks)
        entries, refusals, receipts = new_rows(decision, pks)
        standings = standing_rows(decision, pks)
        # The order of the keys keeps two batches from waiting for each other.
        receipts.sort(key=lambda row: row[:2])
        if entries or standings or receipts or done_notes:
            added = _columns(entries, 10)
            columns = (
                *added,
                [event_id.accepted_at(event) for event in added[0]],
                *_columns(standings, 6),
                [player for players in decision.standings.values() for player in players],
                *_columns(receipts, 4),
            )
            for (note,) in await c.fetch(SQL["write"], *columns, done_notes):
                decision.projection_id = note
        if refusals:
            await c.fetch(SQL["add_refusals"], *_columns(refusals, 9))
        if decision.facts:
            await c.fetch(SQL["put_facts"], *_columns(fact_rows(decision, pks), 7))
        unused = new_players.difference(row[1] for row in standings)
        if unused:
            await c.fetch(SQL["remove_players"], list(unused))
        if self._outbox is not None:
            await self._outbox.write(c, decision)

    async def _add_missing(self, c: Connection, decision: Decision, pks: PrimaryKeys) -> None:
        """Add the tables and credentials of a decision that are new.

        Raise RetryTransaction when another process is adding one.
        """
        tables = decision.standings.keys() - pks.tables.keys()
        if tables:
            rows = await c.fetch(SQL["add_tables"], *_columns(tables, 3))
            pks.tables.update({TableKey(*key): pk for pk, *key in rows})
        credentials = {_credential(one) for one, _ in decision.new_outcomes}
        await self._find_credentials(c, credentials, pks)
        credentials -= pks.credentials.keys()
        if credentials:
            rows = await c.fetch(SQL["add_credentials"], *_columns(credentials, 2))
            pks.credentials.update({(app, name): pk for pk, app, name in rows})
        if tables - pks.tables.keys() or credentials - pks.credentials.keys():
            raise RetryTransaction

    async def receipts(self, app: App, credential: str, keys: Collection[str]) -> Mapping[str, Receipt]:
        rows = await self.database.fetch(SQL["receipts"], app.pk, credential, list(keys), within_s=self._row_s)
        outcomes = await self.outcomes(app, [EventId(event) for _, _, event in rows])
        return {key: Receipt(digest, outcomes.get(EventId(event))) for key, digest, event in rows}

    async def outcome(self, app: App, event: EventId) -> Outcome | None:
        at = event_id.accepted_at(event)
        rows = await self.database.fetch(SQL["outcome"], app.pk, event, at, within_s=self._row_s)
        return _to_outcome(*rows[0]) if rows else None

    async def outcomes(self, app: App, events: Collection[EventId]) -> Mapping[EventId, Outcome]:
        if not events:
            return {}
        rows = await self.database.fetch(SQL["outcomes"], app.pk, list(events), within_s=self._row_s)
        return {EventId(row[0]): _to_outcome(*row) for row in map(tuple, rows)}

    async def standing(self, key: TableKey, app: App, player: str) -> Standing | None:
        rows = await self.database.fetch(SQL["standing"], *key, app.pk, player) if NUL not in player else []
        return to_standing(*rows[0]) if rows else None

    async def standings(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        after = 0
        while rows := await self._reader.fetch(SQL["standings_after"], *key, after, self._chunk):
            after = rows[-1][5]
            yield [(row[0], to_standing(*row[1:5])) for row in map(tuple, rows)]

    async def tables(self, board: Board) -> list[TableKey]:
        return [TableKey(*row) for row in await self.database.fetch(SQL["tables_of_board"], board.pk)]

    async def pending_projections(self) -> tuple[list[int], list[tuple[TableKey, str, Standing]]]:
        await self._remove_done_notes()
        notes = [number for (number,) in await self.database.fetch(SQL["open_notes"], self._fresh_s, NOTES)]
        rows = await self.database.fetch(SQL["pending_standings"], notes) if notes else []
        return notes, to_pending(rows)

    async def ack_projections(self, notes: Collection[int]) -> None:
        self._done_notes += notes

    async def _remove_done_notes(self) -> None:
        """Remove acknowledged notes when no batch follows to do it."""
        notes, self._done_notes = self._done_notes, []
        try:
            if notes:
                await self.database.fetch(SQL["remove_notes"], notes)
        except BaseException:
            self._done_notes += notes
            raise

    async def purge(self, before: int, facts_before: int) -> PurgeResult:
        return await self._purger.purge(before, facts_before)

    async def latest_instant(self) -> int:
        ((event,),) = await self.database.fetch(SQL["latest_event"])
        return event_id.accepted_at(event or MIN_EVENT_ID)

    async def entries(
        self, board: Board, after: EventId = MIN_EVENT_ID, chunk: int = CHUNK
    ) -> AsyncIterator[list[tuple[Submission, Outcome]]]:
        # Windows of the whole ledger keep statements short, even if the board has few entries.
        last = MIN_EVENT_ID
        while last != MAX_EVENT_ID:
            values = after, event_id.accepted_at(after), max(chunk, self._chunk)
            found = await self._reader.fetch(SQL["entries_window"], *values)
            last = found[0][0] if found else MAX_EVENT_ID
            while rows := await self._entries_between(board, after, last, chunk):
                after = rows[-1][0]
                yield [to_entry(board, row) for row in rows]
            after = last

    async def _entries_between(self, board: Board, after: EventId, last: EventId, limit: int) -> list[Row]:
        span = event_id.accepted_at(after), event_id.accepted_at(last)
        rows = await self._reader.fetch(SQL["entries_between"], board.pk, after, last, *span, limit)
        return [tuple(row) for row in rows]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Return rows as the columns that a statement takes."""
    return list(zip(*rows, strict=True)) or [()] * width


def _credential(submission: Submission) -> ScopedName:
    return submission.board.app.pk, submission.credential


def _to_outcome(
    event: EventId, board: int, player: str, season: str, score: int, previous: int | None, code: str, detail: str
) -> Outcome:
    if code:
        return to_refused(event, board, player, season, code, detail)
    return to_applied(event, board, player, season, score, previous)
