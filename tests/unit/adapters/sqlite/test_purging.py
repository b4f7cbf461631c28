"""The steps of retention: bounded, and repeated after a failure."""

import sqlite3

import pytest

from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.purging import SqlitePurger
from scoreboard.domain import codes
from scoreboard.domain.errors import Unavailable
from tests.making import NOON, event

READ, REMOVED = 20, 7
ROWS = 90


@pytest.fixture
async def filled(store: Database) -> Database:
    """Add receipts, every third of them recent."""

    def fill(c: sqlite3.Connection) -> None:
        for n in range(ROWS):
            row = (1 + n % 4, f"key-{n}", b"", event(NOON + (n % 3 == 0)))
            c.execute("INSERT INTO receipts (credential, key, digest, event) VALUES (?, ?, ?, ?)", row)

    await store.write(fill)
    return store


async def count(store: Database) -> int:
    ((rows,),) = await store.read(lambda c: c.execute("SELECT count(*) FROM receipts").fetchall())
    return int(rows)


async def test_steps_and_transactions_are_bounded(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    remove = SqlitePurger.remove_rows

    async def recording(self: SqlitePurger, table: str, keys: list[tuple[object, ...]]) -> int:
        sizes.append(len(keys))
        return await remove(self, table, keys)

    monkeypatch.setattr(SqlitePurger, "remove_rows", recording)
    purger, steps = SqlitePurger(filled, READ, REMOVED), []
    while True:
        step = await purger.purge(NOON + 1, 0)
        steps.append(step.removed)
        if step.complete:
            break
    assert sum(steps) == sum(sizes) == ROWS * 2 // 3
    assert max(steps) <= READ
    assert max(sizes) <= REMOVED
    assert await count(filled) == ROWS // 3


async def test_a_row_that_was_renewed_after_the_read_stays(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may be deleted and used again between the read and the removal."""
    remove = SqlitePurger.remove_rows

    async def late(self: SqlitePurger, table: str, keys: list[tuple[object, ...]]) -> int:
        await filled.write(lambda c: c.execute("UPDATE receipts SET event = ?", (event(NOON + 1),)))
        return await remove(self, table, keys)

    monkeypatch.setattr(SqlitePurger, "remove_rows", late)
    assert (await SqlitePurger(filled, READ, REMOVED).purge(NOON + 1, 0)).removed == 0
    assert await count(filled) == ROWS


async def test_a_failed_step_is_repeated(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    purger = SqlitePurger(filled, READ, REMOVED)
    with monkeypatch.context() as patched:

        async def failing(*_: object) -> None:
            raise codes.STORAGE_FAILED.error("not now")

        patched.setattr(filled, "write", failing)
        with pytest.raises(Unavailable):
            await purger.purge(NOON + 1, 0)
    removed = 0
    while not (step := await purger.purge(NOON + 1, 0)).complete:
        removed += step.removed
    assert removed == ROWS * 2 // 3
