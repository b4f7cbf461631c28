"""What is SQLite's own: notes that are done with are removed many at a time. The rest is in tests/ports."""

import sqlite3

from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.ledger import NOTES, SqliteLedger
from scoreboard.application.updates.decide import decide
from tests.making import board, submission


async def test_notes_that_are_done_with_do_not_pile_up(store: Database) -> None:
    def make_board(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO apps (app, name, time_zone) VALUES ('game', '', 'UTC')")
        c.execute("INSERT INTO boards (app, board, definition) VALUES (1, 'main', '{}')")

    await store.write(make_board)
    ledger = SqliteLedger(store)
    await ledger.start()
    left = []
    for _ in range(3 * NOTES):
        decision = await ledger.transact([submission(board(), "ann", 1)], decide)
        await ledger.ack_projections([decision.projection_id])
        ((count,),) = store.point("SELECT count(*) FROM notes")
        left.append(count)
    assert max(left) <= NOTES < len(left)
    assert await ledger.pending_projections() == ([], [])
