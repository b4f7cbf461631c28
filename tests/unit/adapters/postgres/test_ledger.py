"""The ledger with several processes, and with a server that dies."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from harness.servers.postgres import Server, fresh_database, open_database
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Connection, Database
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.ledger import SQL, PostgresLedger
from scoreboard.application.ports.ledger import BatchState, Decision
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission, TableKey
from tests.making import HOUR, NOON, SECOND, submission, table
from tests.unit.adapters.postgres.conftest import Process, rows

pytestmark = pytest.mark.slow


async def create_board(store: Database, **rules: Any) -> Board:
    directory = PostgresDirectory(store)
    app = await directory.create_app(App(0, "game", "Game"))
    return await directory.create_board(Board(0, app, "main", "Main", **rules))


async def totals(ledger: PostgresLedger, key: TableKey) -> dict[str, int]:
    return {player: one.score async for chunk in ledger.standings(key) for player, one in chunk}


async def count(store: Database, what: str) -> int:
    ((found,),) = await store.fetch(f"SELECT count(*) FROM {what}")  # noqa: S608 - constants
    return int(found)


class TestTwoProcesses:
    async def test_one_player_new_to_both_is_counted_exactly(self, process: Process) -> None:
        stores = [await process() for _ in range(3)]
        board = await create_board(stores[0])
        ledgers = [PostgresLedger(store) for store in stores]
        batches = [
            [submission(board, player, 1, NOON + 100 * n + i) for i, player in enumerate(("zoe", "ann", "bob"))]
            for n in range(30)
        ]
        decisions = await asyncio.gather(
            *(ledgers[n % 3].transact(batch[:: 1 if n % 2 else -1], decide) for n, batch in enumerate(batches))
        )
        assert await totals(ledgers[0], table(board)) == {"ann": 30, "bob": 30, "zoe": 30}
        scores = sorted(one.score for decision in decisions for one in decision.outcomes if one.player == "ann")
        assert scores == list(range(1, 31))
        assert await count(stores[0], "ledger") == 90
        assert await count(stores[0], "players") == 3

    async def test_one_key_at_once_counts_once(self, process: Process) -> None:
        """With different players, so that only the receipt separates them."""
        stores = [await process() for _ in range(4)]
        board = await create_board(stores[0])
        batches = [[submission(board, f"p{n}", 5, key="k", body=b"5")] for n in range(4)]
        decisions = await asyncio.gather(
            *(PostgresLedger(store).transact(batch, decide) for store, batch in zip(stores, batches, strict=True))
        )
        outcomes = [outcome for decision in decisions for outcome in decision.outcomes]
        assert len({outcome.event for outcome in outcomes}) == 1
        assert [outcome.replayed for outcome in outcomes].count(False) == 1
        assert sum((await totals(PostgresLedger(stores[0]), table(board))).values()) == 5
        assert await count(stores[0], "players") == 1  # no player was created for the others

    async def test_one_event_at_once_counts_once(self, process: Process) -> None:
        """As when a queue delivers a message to two workers."""
        stores = [await process() for _ in range(3)]
        board = await create_board(stores[0])
        one = submission(board, value=5)
        decisions = await asyncio.gather(*(PostgresLedger(store).transact([one], decide) for store in stores))
        assert {outcome.score for decision in decisions for outcome in decision.outcomes} == {5}
        assert await totals(PostgresLedger(stores[0]), table(board)) == {"ann": 5}

    async def test_one_event_twice_in_a_batch_is_an_error_of_the_batch(self, process: Process) -> None:
        store = await process()
        board = await create_board(store)
        one = submission(board, value=5)
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any but Unavailable
            await PostgresLedger(store).transact([one, one], decide)
        assert not isinstance(raised.value, Unavailable)
        assert await totals(PostgresLedger(store), table(board)) == {}

    async def test_an_action_counts_once_a_day_across_processes(self, process: Process) -> None:
        stores = [await process() for _ in range(4)]
        board = await create_board(stores[0])
        once = await PostgresDirectory(stores[0]).create_action(Action(0, board.app, "win", 5, per_day=1))
        decisions = await asyncio.gather(
            *(PostgresLedger(store).transact([submission(board, value=5, use=once)], decide) for store in stores)
        )
        assert sorted(o.status for decision in decisions for o in decision.outcomes) == ["applied"] + ["refused"] * 3
        assert await totals(PostgresLedger(stores[0]), table(board)) == {"ann": 5}

    async def test_rows_of_another_process_are_found(self, process: Process) -> None:
        one, other = PostgresLedger(await process()), PostgresLedger(await process())
        board = await create_board(await process())
        first = submission(board, value=5, key="k", body=b"5")
        await one.transact([first], decide)
        (again,) = (await other.transact([submission(board, value=5, key="k", body=b"5")], decide)).outcomes
        assert (again.event, again.replayed) == (first.event, True)
        (after,) = (await other.transact([submission(board, value=2)], decide)).outcomes
        assert after.score == 7

    async def test_a_deleted_board_waits_for_the_batch_and_ends_the_next(self, process: Process) -> None:
        store, deleting = await process(), await process()
        board = await create_board(store)
        directory = PostgresDirectory(deleting)
        ledger = PostgresLedger(store)
        decisions = await asyncio.gather(
            *(ledger.transact([submission(board, f"p{n}")], decide) for n in range(10)),
            directory.delete_board(board),
            *(ledger.transact([submission(board, f"q{n}")], decide) for n in range(10)),
        )
        gone = [
            o for one in decisions if isinstance(one, Decision) for o in one.outcomes if o.code == "board_not_found"
        ]
        assert all(not outcome.recorded for outcome in gone)
        assert await count(store, "standings") == await count(store, "tables") == 0
        (late,) = (await ledger.transact([submission(board)], decide)).outcomes
        assert late.code == "board_not_found"

    async def test_a_player_deleted_concurrently_leaves_no_orphaned_standing(self, process: Process) -> None:
        store, deleting = await process(), await process()
        board = await create_board(store)
        directory, ledger = PostgresDirectory(deleting), PostgresLedger(store)
        for _ in range(5):
            await asyncio.gather(
                *(ledger.transact([submission(board)], decide) for _ in range(4)),
                directory.delete_player(board.app, Player("ann", "ann")),
            )
        orphans = "standings s WHERE NOT EXISTS (SELECT FROM players p WHERE p.number = s.player)"
        assert await count(store, orphans) == 0

    async def test_a_refused_first_update_creates_no_player(self, process: Process) -> None:
        store = await process()
        board = await create_board(store, max_total=6)
        (refused,) = (await PostgresLedger(store).transact([submission(board, value=9)], decide)).outcomes
        assert refused.code == "total_out_of_bounds"
        assert await count(store, "players") == await count(store, "tables") == 0

    async def test_fresh_notes_are_left_to_the_process_that_wrote_them(self, process: Process) -> None:
        one, other = PostgresLedger(await process()), PostgresLedger(await process())
        store = await process()
        board = await create_board(store)
        decision = await one.transact([submission(board)], decide)
        assert await other.pending_projections() == ([], [])
        await store.fetch("UPDATE notes SET made_at = made_at - interval '2 seconds'")
        notes, standings = await other.pending_projections()
        assert (notes, [player for _, player, _ in standings]) == ([decision.projection_id], ["ann"])

    async def test_done_notes_are_removed_without_another_batch(self, process: Process) -> None:
        store = await process()
        ledger = PostgresLedger(store)
        decision = await ledger.transact([submission(await create_board(store))], decide)
        await ledger.ack_projections([decision.projection_id])
        await ledger.pending_projections()
        assert await count(store, "notes") == 0

    async def test_notes_that_another_transaction_removes_delay_no_other(self, process: Process) -> None:
        store = await process()
        board = await create_board(store)
        one, other = PostgresLedger(store), PostgresLedger(await process(), fresh_s=0)
        decision = await one.transact([submission(board)], decide)
        removing = await store.connection()
        transaction = removing.transaction()
        await transaction.start()
        await removing.execute(SQL["remove_notes"], [decision.projection_id])
        assert await other.pending_projections() == ([], [])
        await other.ack_projections([decision.projection_id])
        second = await other.transact([submission(board, "bob")], decide)
        await other.ack_projections([decision.projection_id])
        assert (await other.pending_projections())[0] == [second.projection_id]
        await transaction.rollback()
        assert (await other.pending_projections())[0] == [decision.projection_id, second.projection_id]
        await removing.close()


class TestFailures:
    async def test_a_server_killed_before_the_commit_has_no_change(self, server: Server) -> None:
        async with open_database(await fresh_database(server.url)) as store:
            board = await create_board(store)
            ledger = PostgresLedger(store)
            batch = [submission(board, value=5, key="k", body=b"5")]

            def killing(batch: Sequence[Submission], state: BatchState) -> Decision:
                server.kill()
                return decide(batch, state)

            with pytest.raises(Unavailable):
                await ledger.transact(batch, killing)
            with pytest.raises(Unavailable):
                await ledger.transact(batch, decide)
            server.start()
            (outcome,) = (await ledger.transact(batch, decide)).outcomes
            assert (outcome.status, outcome.score, outcome.replayed) == ("applied", 5, False)
            assert await totals(ledger, table(board)) == {"ann": 5}

    async def test_a_server_killed_after_the_commit_has_all_changes(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with open_database(await fresh_database(server.url)) as store:
            board = await create_board(store)
            ledger = PostgresLedger(store)
            batch = [submission(board, value=5, key="k", body=b"5")]
            once = Database.run_once

            async def answer_lost(store: Database, work: database.Work[object], within_s: float) -> object:
                await once(store, work, within_s)
                server.kill()
                raise ConnectionResetError

            with monkeypatch.context() as patched:
                patched.setattr(Database, "run_once", answer_lost)
                with pytest.raises(Unavailable):
                    await ledger.transact(batch, decide)
            server.start()
            returned: list[Outcome] = []

            async def outcomes_returned() -> bool:
                try:
                    returned.extend((await PostgresLedger(store).transact(batch, decide)).outcomes)
                except Unavailable:
                    return False  # an older connection, whose end was not yet detected
                return len(returned) == 2

            await eventually(outcomes_returned)
            assert [(o.event, o.status, o.score) for o in returned] == [(batch[0].event, "applied", 5)] * 2
            assert await totals(ledger, table(board)) == {"ann": 5}

    async def test_a_connection_that_the_server_closes_is_replaced(self, process: Process) -> None:
        store, other = await process(), await process()
        board = await create_board(store)
        ledger = PostgresLedger(store)
        await ledger.transact([submission(board)], decide)
        await other.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        try:
            await ledger.transact([submission(board)], decide)
        except Unavailable:
            await ledger.transact([submission(board)], decide)
        assert (await totals(ledger, table(board)))["ann"] == 2


async def plan(c: Connection, statement: str, *types: str) -> str:
    """Return the generic plan that a connection keeps for a statement."""
    nulls = ", ".join(["NULL"] * len(types))
    await c.execute("SET plan_cache_mode = force_generic_plan")
    await c.execute(f"PREPARE planned ({', '.join(types)}) AS {statement}")
    return "\n".join(line for (line,) in await c.fetch(f"EXPLAIN EXECUTE planned ({nulls})"))


async def test_no_statement_of_an_update_reads_a_whole_table(process: Process) -> None:
    """Also when it is planned while the tables are empty, and kept."""
    store = await process()
    await store.fetch("ANALYZE")
    arrays = [
        *("bigint[]", "bigint[]", "bytea[]", "bigint[]", "text[]"),
        *("bigint[]", "bigint[]", "text[]", "text[]"),
    ]
    removed = ["bigint[]"]
    for name, types in (("state", arrays), ("lock", ["bigint[]", "bigint[]", "text[]"]), ("remove_notes", removed)):
        connection = await store.connection()
        try:
            found = await plan(connection, SQL[name], *types)
        finally:
            await connection.close()
        assert "Index" in found
        assert "Seq Scan" not in found, found


async def test_entries_of_a_board_that_has_few_come_from_a_ledger_that_has_many(process: Process) -> None:
    store = await process()
    board = await create_board(store)
    other = await PostgresDirectory(store).create_board(Board(0, board.app, "other", "Other"))
    ledger = PostgresLedger(store, chunk=7)
    made = [submission(board if n % 17 == 3 else other, at=NOON + n) for n in range(100)]
    await ledger.transact(made, decide)
    for size in (1, 3, 50):
        found = [one.event async for chunk in ledger.entries(board, chunk=size) for one, _ in chunk]
        assert found == [one.event for one in made if one.board is board]


async def test_a_standing_contains_the_player_id(process: Process) -> None:
    store = await process()
    board = await create_board(store)
    await PostgresLedger(store).transact([submission(board, player) for player in ("zoë", "ann")], decide)
    assert set(await rows(store.fetch("SELECT player_id FROM standings"))) == {("zoë",), ("ann",)}


async def test_uses_of_the_previous_version_count_for_the_rules_of_this_one(process: Process) -> None:
    """Running processes of version 0.1.0 insert into `uses`."""
    store = await process()
    board = await create_board(store)
    once = await PostgresDirectory(store).create_action(Action(0, board.app, "win", 5, per_day=2, cooldown_s=60))
    ledger = PostgresLedger(store)
    await ledger.transact([submission(board)], decide)
    day = date(2026, 11, 21).toordinal()
    for ordinal in (1, 2):
        await store.fetch(
            "INSERT INTO uses (action, player, day, ordinal, at) VALUES ($1, 'ann', $2, $3, $4)",
            once.pk,
            day,
            ordinal,
            NOON + ordinal,
        )
    for at, code in ((NOON + 30 * SECOND, "action_limit"), (NOON + 24 * HOUR, "")):
        (outcome,) = (await ledger.transact([submission(board, use=once, at=at)], decide)).outcomes
        assert outcome.code == code
    slow = await PostgresDirectory(store).create_action(Action(0, board.app, "slow", 5, cooldown_s=60))
    await store.fetch(
        "INSERT INTO uses (action, player, day, ordinal, at) VALUES ($1, 'ann', $2, 1, $3)", slow.pk, day, NOON
    )
    (outcome,) = (await ledger.transact([submission(board, use=slow, at=NOON + 59 * SECOND)], decide)).outcomes
    assert outcome.code == "action_cooldown"


async def test_uses_of_the_previous_version_are_deleted_with_their_player_action_and_app(process: Process) -> None:
    store = await process()
    board = await create_board(store)
    directory, ledger = PostgresDirectory(store), PostgresLedger(store)
    await ledger.transact([submission(board, player) for player in ("ann", "bob", "cat")], decide)
    actions = [await directory.create_action(Action(0, board.app, name, 5, per_day=1)) for name in ("one", "two")]
    for action in actions:
        for player in ("ann", "bob", "cat"):
            await store.fetch(
                "INSERT INTO uses (action, player, day, ordinal, at) VALUES ($1, $2, 1, 1, $3)",
                action.pk,
                player,
                NOON if player == "cat" else NOON + 1,
            )
    await directory.delete_player(board.app, Player("ann", "Ann"))
    assert await count(store, "uses") == 4
    await directory.delete_action(actions[0])
    assert await count(store, "uses") == 2
    while not (await ledger.purge(0, NOON + 1)).complete:
        pass
    assert set(await rows(store.fetch("SELECT player FROM uses"))) == {("bob",)}
    await directory.delete_app(board.app)
    assert await count(store, "uses") == 0
