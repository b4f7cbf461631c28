"""The number of standings of each table, counted while they are added and removed."""

import asyncio
from itertools import count

import pytest

from harness.servers.postgres import TIMEOUTS, empty_database, open_database
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.maintenance import fold_counts
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Board, Player
from scoreboard.domain.submission import WORLD, TableKey
from tests.making import NOON, submission, table
from tests.unit.adapters.postgres.conftest import Process, rows
from tests.unit.adapters.postgres.test_ledger import create_board

pytestmark = pytest.mark.slow

COUNTED = "SELECT tbl, sum(standings)::bigint FROM standing_counts GROUP BY tbl HAVING sum(standings) <> 0 ORDER BY tbl"
PRESENT = "SELECT tbl, count(*) FROM standings GROUP BY tbl ORDER BY tbl"


async def assert_counted(store: Database) -> None:
    assert await rows(store.fetch(COUNTED)) == await rows(store.fetch(PRESENT))


async def total(store: Database, board: Board, region: str = WORLD) -> int:
    return await PostgresRanking(store).total(TableKey(board.pk, "all", region), board)


async def test_a_total_is_exact_while_standings_change_and_counts_are_folded(process: Process) -> None:
    stores = [await process() for _ in range(3)]
    board = await create_board(stores[0], regions=("eu", "us"))
    directory = PostgresDirectory(stores[0])
    folding = asyncio.Event()

    async def play(number: int) -> None:
        ledger = PostgresLedger(stores[number])
        for n in range(20):
            batch = [submission(board, f"p{n + i}", 1, NOON + n, region=("eu", "us")[i % 2]) for i in range(5)]
            await ledger.transact(batch, decide)

    async def keep_folding() -> None:
        while not folding.is_set():
            await fold_counts(stores[2])

    folded = [asyncio.create_task(keep_folding()) for _ in range(2)]
    await asyncio.gather(*(play(number) for number in range(3)))
    for player in ("p0", "p7"):
        await directory.delete_player(board.app, Player(player, player))
    folding.set()
    await asyncio.gather(*folded)
    await assert_counted(stores[0])
    assert await total(stores[0], board) == 22
    await fold_counts(stores[0])
    assert await total(stores[0], board) == 22
    assert await rows(stores[0].fetch("SELECT count(*) FROM standing_counts")) == [(3,)]
    await directory.delete_board(board)
    await fold_counts(stores[0])
    assert await rows(stores[0].fetch("SELECT FROM standing_counts")) == []


async def test_an_empty_board_has_a_total(process: Process) -> None:
    store = await process()
    board = await create_board(store)
    assert await total(store, board) == 0
    assert (await PostgresRanking(store).slice(table(board), board, 0, 10)).total == 0


async def test_migrations_run_while_the_previous_version_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every update is applied, and standings of any time are counted."""
    first, *others = database.FILES.migrations()
    facts = next(migration for migration in others if migration.file == "0004_facts.sql")
    migrations, url = [first, facts], await empty_database()  # The statements of this version need the facts.

    async def migrate() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(database.FILES, "migrations", lambda: migrations)
            await database.migrate(url, TIMEOUTS)

    await migrate()
    async with open_database(url) as store, open_database(url) as other:
        board, stopping, played = await create_board(store), asyncio.Event(), count()

        async def serve(ledger: PostgresLedger) -> int:
            applied = 0
            while not stopping.is_set():
                n = next(played)
                decision = await ledger.transact([submission(board, f"p{n % 200}", 1, NOON + n)], decide)
                applied += [one.status for one in decision.outcomes] == ["applied"]
            return applied

        serving = [asyncio.create_task(serve(PostgresLedger(one))) for one in (store, other)]

        async def more_updates() -> None:
            reached = next(played) + 50
            await eventually(lambda: next(played) > reached)

        await more_updates()
        for migration in others:
            migrations.append(migration)
            await migrate()
            await more_updates()
        stopping.set()
        applied = sum(await asyncio.gather(*serving))
        assert await rows(store.fetch("SELECT count(*) FROM ledger")) == [(applied,)]
        await assert_counted(store)
        assert await total(store, board) == (await rows(store.fetch("SELECT count(*) FROM standings")))[0][0]
