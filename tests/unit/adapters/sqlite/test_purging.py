"""What is SQLite's own: steps are bounded, and one that fails is done again. The rest is in tests/ports."""

import sqlite3

import pytest

from scoreboard.adapters.sqlite import purging
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.purging import ReceiptPurger
from scoreboard.domain import codes
from scoreboard.domain.errors import Unavailable
from tests.making import NOON, event

READ, REMOVED = 20, 7
ROWS = 90


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "READ", READ)
    monkeypatch.setattr(purging, "REMOVED", REMOVED)


@pytest.fixture
async def filled(store: Database) -> Database:
    """Receipts, every third of them young."""

    def fill(c: sqlite3.Connection) -> None:
        for n in range(ROWS):
            row = (1 + n % 4, f"key-{n}", b"", event(NOON + (n % 3 == 0)))
            c.execute("INSERT INTO receipts (credential, key, digest, event) VALUES (?, ?, ?, ?)", row)

    await store.write(fill)
    return store


async def count(store: Database) -> int:
    ((rows,),) = await store.read(lambda c: c.execute("SELECT count(*) FROM receipts").fetchall())
    return int(rows)


async def test_no_step_reads_and_no_transaction_removes_more_than_its_share(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    remove = ReceiptPurger._remove

    async def noted(self: ReceiptPurger, table: str, keys: list[tuple[object, ...]]) -> int:
        sizes.append(len(keys))
        return await remove(self, table, keys)

    monkeypatch.setattr(ReceiptPurger, "_remove", noted)
    forgets, steps = ReceiptPurger(filled), []
    while True:
        step = await forgets.purge(NOON + 1, 0)
        steps.append(step.removed)
        if step.complete:
            break
    assert sum(steps) == sum(sizes) == ROWS * 2 // 3
    assert max(steps) <= READ
    assert max(sizes) <= REMOVED
    assert await count(filled) == ROWS // 3


async def test_what_became_young_since_it_was_read_stays(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was forgotten by another way and used again, between the look and the removal."""
    remove = ReceiptPurger._remove

    async def late(self: ReceiptPurger, table: str, keys: list[tuple[object, ...]]) -> int:
        await filled.write(lambda c: c.execute("UPDATE receipts SET event = ?", (event(NOON + 1),)))
        return await remove(self, table, keys)

    monkeypatch.setattr(ReceiptPurger, "_remove", late)
    assert (await ReceiptPurger(filled).purge(NOON + 1, 0)).removed == 0
    assert await count(filled) == ROWS


async def test_a_step_that_fails_is_done_again(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    forgets = ReceiptPurger(filled)
    with monkeypatch.context() as patched:

        async def failing(*_: object) -> None:
            raise codes.STORAGE_FAILED.error("not now")

        patched.setattr(filled, "write", failing)
        with pytest.raises(Unavailable):
            await forgets.purge(NOON + 1, 0)
    removed = 0
    while not (step := await forgets.purge(NOON + 1, 0)).complete:
        removed += step.removed
    assert removed == ROWS * 2 // 3
