"""The log is copied and begun anew. What follows when the disk fails is in `tests/faults/test_disk_errors.py`."""

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.waiting import eventually
from scoreboard.adapters.sqlite import checkpoints
from scoreboard.adapters.sqlite.database import Database, open_database

STEP = 20
PAGE = 2_048
SYNCS = checkpoints.ROUNDS + 1  # a step


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scoreboard.db"


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the database file when it was synced."""
    seen: list[int] = []

    def sync(file: int) -> None:
        seen.append(os.fstat(file).st_size)

    monkeypatch.setattr(checkpoints, "_sync", sync)
    monkeypatch.setattr(checkpoints, "STEP_ROWS", STEP)
    return seen


@pytest.fixture
async def store(path: Path, syncs: list[int]) -> AsyncIterator[Database]:
    async with open_database(path) as store:
        yield store


async def fill(store: Database, rows: int) -> None:
    """A transaction a row, and more than a page each."""

    def row(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO apps (app, name, time_zone) SELECT hex(randomblob(16)), hex(randomblob(1024)), ''")

    for _ in range(rows):
        await store.write(row)


def size(path: Path, of: str = "") -> int:
    return Path(f"{path}{of}").stat().st_size


def log_number(path: Path) -> bytes:
    """What tells a log from the one before it in the file: sequence number and salts (SQLite's file format, 4.1)."""
    return Path(f"{path}-wal").read_bytes()[12:24]


async def test_few_rows_stay_in_the_log(store: Database, path: Path, syncs: list[int]) -> None:
    before = size(path)
    await fill(store, STEP // 2)
    assert size(path) == before
    assert syncs == []


async def test_a_step_is_copied_synced_and_the_log_begun_anew(store: Database, path: Path, syncs: list[int]) -> None:
    await fill(store, 1)
    first = log_number(path)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == SYNCS, "the step was copied")
    assert syncs[0] > STEP * PAGE
    await fill(store, 2)  # behind the last part of the checkpoint, which is the writing thread's
    assert log_number(path) != first


async def test_what_was_copied_is_not_copied_again(store: Database, syncs: list[int]) -> None:
    for steps in (1, 2, 3):
        await fill(store, STEP)
        await eventually(lambda: len(syncs) == steps * SYNCS, "the step was copied")  # noqa: B023
    await fill(store, STEP // 2)
    assert len(syncs) == 3 * SYNCS


async def test_the_log_does_not_grow_with_what_is_written(store: Database, path: Path, syncs: list[int]) -> None:
    for steps in range(1, 21):
        await fill(store, STEP)
        await eventually(lambda: len(syncs) == steps * SYNCS, "the step was copied")  # noqa: B023
    # It has room for some steps, more on a busy machine; what was written in all are twenty.
    assert size(path, "-wal") < size(path) * 2 / 3


async def test_a_reader_in_the_middle_of_the_log_keeps_it_and_harms_nothing(
    store: Database, path: Path, syncs: list[int]
) -> None:
    await fill(store, 1)
    first = log_number(path)
    store.points.execute("BEGIN")
    (before,) = store.points.execute("SELECT count(*) FROM apps").fetchone()
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == SYNCS, "the step was copied")
    await fill(store, 2)
    assert log_number(path) == first
    assert store.points.execute("SELECT count(*) FROM apps").fetchone() == (before,)
    store.points.execute("COMMIT")
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == 2 * SYNCS, "the next step was copied")
    await fill(store, 2)
    assert log_number(path) != first


async def test_a_checkpoint_that_fails_is_made_up_for_by_the_next(
    store: Database, syncs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = checkpoints._checkpoint

    def failing(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(checkpoints, "_checkpoint", failing)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == 1, "the checkpoint failed")
    monkeypatch.setattr(checkpoints, "_checkpoint", checkpoint)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == 1 + SYNCS, "both steps were copied")
    assert syncs[1] > 2 * STEP * PAGE
