"""Monthly partitions of the ledger, created while other processes write and read."""

import asyncio

import pytest

from harness.waiting import eventually
from scoreboard.adapters.postgres.database import Connection, Database
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.maintenance import SQL as MAINTENANCE
from scoreboard.adapters.postgres.maintenance import create_partitions
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Submission
from tests.making import HOUR, NOON, submission
from tests.unit.adapters.postgres.conftest import Process, rows
from tests.unit.adapters.postgres.test_ledger import create_board

pytestmark = pytest.mark.slow

DAY = 24 * HOUR
MONTHS = ["ledger_2026_11", "ledger_2026_12", "ledger_2027_01"]


async def partitions_of(store: Database) -> list[str]:
    found = await rows(store.fetch("SELECT DISTINCT tableoid::regclass::text FROM ledger ORDER BY 1"))
    return [str(name) for (name,) in found]


async def entries(ledger: PostgresLedger, board: Board) -> list[Submission]:
    return [one async for chunk in ledger.entries(board) for one, _ in chunk]


async def test_each_partition_is_created_once(process: Process) -> None:
    one, other = await process(), await process()
    created = await asyncio.gather(*(create_partitions(store, NOON, 2) for store in (one, other)))
    assert sorted(created[0] + created[1]) == MONTHS
    assert await create_partitions(one, NOON, 2) == []
    assert await create_partitions(one, NOON + 31 * DAY, 2) == ["ledger_2027_02"]


async def test_an_entry_without_a_partition_goes_to_the_default_partition(process: Process) -> None:
    store = await process()
    board, ledger = await create_board(store), PostgresLedger(store)
    await create_partitions(store, NOON, 1)
    first, last = 1_793_491_200_000_000, 1_796_083_199_999_999  # of November
    added = [submission(board, at=at) for at in (first - 1, first, last, last + 1, NOON + 100 * DAY)]
    await ledger.transact(added, decide)
    assert await rows(store.fetch("SELECT tableoid::regclass::text FROM ledger ORDER BY accepted_at")) == [
        ("ledger_default",),
        ("ledger_2026_11",),
        ("ledger_2026_11",),
        ("ledger_2026_12",),
        ("ledger_default",),
    ]
    assert [one.event for one in await entries(ledger, board)] == [one.event for one in added]
    for one in added:
        assert await ledger.outcome(board.app, one.event) is not None


async def test_entries_move_from_the_default_partition_to_a_new_one(process: Process) -> None:
    store, other = await process(), await process()
    board, ledger = await create_board(store), PostgresLedger(store)
    added = [submission(board, at=NOON + n * DAY) for n in range(0, 80, 20)]
    await ledger.transact(added, decide)
    assert await partitions_of(store) == ["ledger_default"]
    more = [submission(board, f"p{n}", at=NOON + n) for n in range(1, 20)]
    await asyncio.gather(create_partitions(other, NOON, 1), *(ledger.transact([one], decide) for one in more))
    assert await partitions_of(store) == ["ledger_2026_11", "ledger_2026_12", "ledger_default"]
    found = {one.event for one in await entries(ledger, board)}
    assert found == {one.event for one in (*added, *more)}
    for one in added:
        assert (await ledger.transact([one], decide)).outcomes[0].event == one.event  # replayed, and not counted again


@pytest.mark.parametrize("planned", [False, True], ids=["planned-during", "planned-before"])
async def test_a_read_during_the_move_finds_every_entry(process: Process, *, planned: bool) -> None:
    """The read starts before the move is committed, and waits for the commit."""
    store, other = await process(), await process()
    board, ledger = await create_board(store), PostgresLedger(store)
    one = submission(board, at=NOON)
    await ledger.transact([one], decide)
    if planned:
        assert await ledger.outcome(board.app, one.event) is not None
    reading: list[asyncio.Task[object]] = []

    async def move(c: Connection) -> None:
        await c.fetchval(MAINTENANCE["create_partition"], MONTHS[0], NOON - DAY, NOON + DAY)
        reading.append(asyncio.create_task(ledger.outcome(board.app, one.event)))
        await eventually(lambda: waiting(other), "the reader waits")

    await other.transaction(move)
    assert await reading[0] is not None
    assert await partitions_of(store) == MONTHS[:1]


async def waiting(store: Database) -> bool:
    found = await store.fetch(
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database() "
        "WHERE NOT granted"
    )
    return bool(found[0][0])
