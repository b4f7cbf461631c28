"""The outbox when transactions overlap. See also tests/ports."""

import asyncio

import asyncpg
import pytest

from harness.waiting import eventually
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.application.ports.ledger import BatchState
from scoreboard.application.ports.outbox import ScoreUpdated, encode
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import Submission
from tests.making import board, submission
from tests.unit.adapters.postgres.conftest import Process
from tests.unit.adapters.postgres.test_ledger import count, create_board

pytestmark = pytest.mark.slow

ONE = "webhook"
ADD = "INSERT INTO outbox (size, events) VALUES ($1, $2)"


async def read_all(outbox: PostgresOutbox) -> list[ScoreUpdated]:
    """Read the available events, and move the cursor past them."""
    found = await outbox.read(ONE, 1_000, 1_000_000)
    assert found is not None
    if found.events:
        await outbox.advance(ONE, found.position)
    return found.events


async def delivered(outbox: PostgresOutbox, count: int) -> list[EventId]:
    """Wait for the next events, which other transactions of the server may delay."""
    found: list[EventId] = []

    async def enough() -> bool:
        found.extend(one.event for one in await read_all(outbox))
        return len(found) >= count

    await eventually(enough)
    return found


async def apply(ledger: PostgresLedger, one: Submission) -> None:
    await ledger.transact([one], decide)


def events(one: Submission) -> tuple[int, bytes]:
    (row,) = encode(decide([one], BatchState()))
    return row


async def test_no_row_is_skipped_when_a_lower_number_commits_later(process: Process, url: str) -> None:
    store = await process()
    outbox = PostgresOutbox(store)
    await outbox.register([ONE])
    main = await create_board(store)
    ledger = PostgresLedger(store, outbox=outbox)
    early, late = submission(main, "ann"), submission(main, "bob")
    connection = await asyncpg.connect(url)
    open_one = connection.transaction()
    await open_one.start()
    await connection.execute(ADD, *events(early))
    await apply(ledger, late)
    assert await read_all(outbox) == []
    assert await outbox.trim() == 0
    assert (await outbox.backlogs())[ONE].events == 1
    await open_one.commit()
    assert await delivered(outbox, 2) == [early.event, late.event]
    assert await read_all(outbox) == []
    await connection.close()


async def test_events_before_an_open_transaction_are_delivered(process: Process, url: str) -> None:
    """Only later transactions wait; after the rollback, none does."""
    store = await process()
    outbox = PostgresOutbox(store)
    await outbox.register([ONE])
    main = await create_board(store)
    ledger = PostgresLedger(store, outbox=outbox)
    before, after = submission(main, "ann"), submission(main, "bob")
    await apply(ledger, before)
    connection = await asyncpg.connect(url)
    open_one = connection.transaction()
    await open_one.start()
    await connection.execute(ADD, *events(submission(main)))
    await apply(ledger, after)
    assert await delivered(outbox, 1) == [before.event]
    await open_one.rollback()
    assert await delivered(outbox, 1) == [after.event]
    await connection.close()


async def test_a_lower_number_of_a_later_transaction_is_not_skipped(process: Process, url: str) -> None:
    """The transaction id decides the order, not the number."""
    store = await process()
    outbox = PostgresOutbox(store)
    await outbox.register([ONE])
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    transactions = [first.transaction(), second.transaction()]
    for one in transactions:
        await one.start()
    await first.execute("SELECT pg_current_xact_id()")
    low, high = submission(board(), "ann"), submission(board(), "bob")
    await second.execute(ADD, *events(low))
    await first.execute(ADD, *events(high))
    await transactions[0].commit()
    assert await delivered(outbox, 1) == [high.event]
    await transactions[1].commit()
    assert await delivered(outbox, 1) == [low.event]
    for connection in (first, second):
        await connection.close()


async def test_a_consumer_registered_while_a_transaction_is_open_gets_its_events(process: Process, url: str) -> None:
    outbox = PostgresOutbox(await process())
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    one = submission(board())
    await connection.execute(ADD, *events(one))
    await outbox.register([ONE])
    await transaction.commit()
    assert await delivered(outbox, 1) == [one.event]
    await connection.close()


async def test_a_skip_does_not_pass_over_an_open_transaction(process: Process, url: str) -> None:
    outbox = PostgresOutbox(await process())
    await outbox.register([ONE])
    connection = await asyncpg.connect(url)
    await connection.execute(ADD, *events(submission(board())))
    transaction = connection.transaction()
    await transaction.start()
    one = submission(board())
    await connection.execute(ADD, *events(one))

    async def skipped() -> bool:
        await outbox.skip(ONE)
        return (await outbox.backlogs())[ONE].skipped == 1

    await eventually(skipped)
    await transaction.commit()
    assert await delivered(outbox, 1) == [one.event]
    await connection.close()


async def test_processes_that_commit_at_once_lose_no_event(process: Process) -> None:
    stores: list[Database] = [await process() for _ in range(3)]
    outboxes = [PostgresOutbox(store) for store in stores]
    await outboxes[0].register([ONE])
    main: Board = await create_board(stores[0])
    ledgers = [PostgresLedger(store, outbox=outbox) for store, outbox in zip(stores, outboxes, strict=True)]
    sent = [submission(main, f"p{n % 7}") for n in range(150)]
    found: list[bytes] = []

    async def read() -> None:
        while len(found) < len(sent):
            found.extend(one.event for one in await read_all(outboxes[2]))
            await asyncio.sleep(0)

    await asyncio.gather(read(), *(apply(ledgers[n % 3], one) for n, one in enumerate(sent)))
    assert sorted(found) == sorted(one.event for one in sent)
    assert await read_all(outboxes[0]) == []


async def test_a_database_from_a_dump_of_another_server_delivers_old_and_new_events(process: Process, url: str) -> None:
    """Its transaction ids are of a server whose counter was far ahead."""
    store = await process()
    outbox = PostgresOutbox(store)
    await outbox.register([ONE])
    main = await create_board(store)
    ledger = PostgresLedger(store, outbox=outbox)
    held = [submission(main), submission(main)]
    for one in held:
        await apply(ledger, one)
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE outbox SET xid = (xid::text::bigint + 1000000000)::text::xid8")
    await connection.execute("UPDATE outbox_consumers SET xid = '1000000000'")
    await connection.close()
    assert await read_all(outbox) == []
    await outbox.register([ONE])
    new = submission(main)
    await apply(ledger, new)
    assert await delivered(outbox, 3) == [one.event for one in (*held, new)]

    async def trimmed() -> bool:
        return await outbox.trim() == 0 == await count(store, "outbox")

    await eventually(trimmed)
