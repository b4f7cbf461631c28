import asyncio

import pytest

from harness.waiting import eventually
from scoreboard.adapters.postgres.database import Connection, Database
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.partitions import MAKE, ensure_ahead
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Submission
from tests.making import HOUR, NOON, submission
from tests.unit.adapters.postgres.conftest import Process, rows
from tests.unit.adapters.postgres.test_ledger import a_board

pytestmark = pytest.mark.slow

DAY = 24 * HOUR
MONTHS = ["ledger_2026_11", "ledger_2026_12", "ledger_2027_01"]


async def partitions_of(store: Database) -> list[str]:
    found = await rows(store.fetch("SELECT DISTINCT tableoid::regclass::text FROM ledger ORDER BY 1"))
    return [str(name) for (name,) in found]


async def entries(ledger: PostgresLedger, board: Board) -> list[Submission]:
    return [one async for chunk in ledger.entries(board) for one, _ in chunk]


async def test_each_month_is_made_once(process: Process) -> None:
    one, other = await process(), await process()
    made = await asyncio.gather(*(ensure_ahead(store, NOON, 2) for store in (one, other)))
    assert sorted(made[0] + made[1]) == MONTHS
    assert await ensure_ahead(one, NOON, 2) == []
    assert await ensure_ahead(one, NOON + 31 * DAY, 2) == ["ledger_2027_02"]


async def test_an_entry_goes_to_its_month_and_else_to_the_default(process: Process) -> None:
    store = await process()
    board, ledger = await a_board(store), PostgresLedger(store)
    await ensure_ahead(store, NOON, 1)
    first, last = 1_793_491_200_000_000, 1_796_083_199_999_999  # of November
    made = [submission(board, at=at) for at in (first - 1, first, last, last + 1, NOON + 100 * DAY)]
    await ledger.transact(made, decide)
    assert await rows(store.fetch("SELECT tableoid::regclass::text FROM ledger ORDER BY accepted_at")) == [
        ("ledger_default",),
        ("ledger_2026_11",),
        ("ledger_2026_11",),
        ("ledger_2026_12",),
        ("ledger_default",),
    ]
    assert [one.event for one in await entries(ledger, board)] == [one.event for one in made]
    for one in made:
        assert await ledger.outcome(board.app, one.event) is not None


async def test_what_is_in_the_default_goes_to_its_month_when_that_is_made(process: Process) -> None:
    store, other = await process(), await process()
    board, ledger = await a_board(store), PostgresLedger(store)
    made = [submission(board, at=NOON + n * DAY) for n in range(0, 80, 20)]
    await ledger.transact(made, decide)
    assert await partitions_of(store) == ["ledger_default"]
    more = [submission(board, f"p{n}", at=NOON + n) for n in range(1, 20)]
    await asyncio.gather(ensure_ahead(other, NOON, 1), *(ledger.transact([one], decide) for one in more))
    assert await partitions_of(store) == ["ledger_2026_11", "ledger_2026_12", "ledger_default"]
    found = {one.event for one in await entries(ledger, board)}
    assert found == {one.event for one in (*made, *more)}
    for one in made:
        assert (await ledger.transact([one], decide)).outcomes[0].event == one.event  # known, and not counted again


@pytest.mark.parametrize("planned", [False, True], ids=["planned-meanwhile", "planned-before"])
async def test_who_reads_while_entries_go_to_their_month_misses_none(process: Process, *, planned: bool) -> None:
    """Held open: the reader begins while the move is not committed, and waits for it."""
    store, other = await process(), await process()
    board, ledger = await a_board(store), PostgresLedger(store)
    one = submission(board, at=NOON)
    await ledger.transact([one], decide)
    if planned:
        assert await ledger.outcome(board.app, one.event) is not None
    reading: list[asyncio.Task[object]] = []

    async def move(c: Connection) -> None:
        await c.fetchval(MAKE, MONTHS[0], NOON - DAY, NOON + DAY)
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
