"""Checkpoints. For disk failures see `tests/faults/test_disk_errors.py`."""

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
    """Record the sizes of the database file when it is synced."""
    sizes: list[int] = []

    def sync(file: int) -> None:
        sizes.append(os.fstat(file).st_size)

    monkeypatch.setattr(checkpoints, "_sync", sync)
    return sizes


@pytest.fixture
async def store(path: Path, syncs: list[int]) -> AsyncIterator[Database]:
    async with open_database(path, checkpoint_rows=STEP) as store:
        yield store


async def fill(store: Database, rows: int) -> None:
    """Add rows of more than a page, each in its own transaction."""

    def row(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO apps (app, name, time_zone) SELECT hex(randomblob(16)), hex(randomblob(1024)), ''")

    for _ in range(rows):
        await store.write(row)


def size(path: Path, of: str = "") -> int:
    return Path(f"{path}{of}").stat().st_size


def log_number(path: Path) -> bytes:
    """Return the sequence number and salts of the log (SQLite's file format, 4.1)."""
    return Path(f"{path}-wal").read_bytes()[12:24]


async def test_few_rows_stay_in_the_log(store: Database, path: Path, syncs: list[int]) -> None:
    before = size(path)
    await fill(store, STEP // 2)
    assert size(path) == before
    assert syncs == []


async def test_a_step_is_copied_and_synced_and_the_log_restarts(store: Database, path: Path, syncs: list[int]) -> None:
    await fill(store, 1)
    first = log_number(path)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == SYNCS, "the step was copied")
    assert syncs[0] > STEP * PAGE
    await fill(store, 2)  # after the last part of the checkpoint, on the writing thread
    assert log_number(path) != first


async def test_copied_pages_are_not_copied_again(store: Database, syncs: list[int]) -> None:
    for steps in (1, 2, 3):
        await fill(store, STEP)
        await eventually(lambda: len(syncs) == steps * SYNCS, "the step was copied")  # noqa: B023 - awaited here
    await fill(store, STEP // 2)
    assert len(syncs) == 3 * SYNCS


async def test_the_log_does_not_grow_with_the_writes(store: Database, path: Path, syncs: list[int]) -> None:
    for steps in range(1, 21):
        await fill(store, STEP)
        await eventually(lambda: len(syncs) == steps * SYNCS, "the step was copied")  # noqa: B023 - awaited here
    # It has room for a few of the twenty steps, more on a busy machine.
    assert size(path, "-wal") < size(path) * 2 / 3


async def test_a_reader_in_the_middle_of_the_log_only_delays_its_restart(
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


async def test_the_checkpoint_after_a_failed_one_copies_both_steps(
    store: Database, syncs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = checkpoints.checkpoint

    def failing(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(checkpoints, "checkpoint", failing)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == 1, "the checkpoint failed")
    monkeypatch.setattr(checkpoints, "checkpoint", checkpoint)
    await fill(store, STEP)
    await eventually(lambda: len(syncs) == 1 + SYNCS, "both steps were copied")
    assert syncs[1] > 2 * STEP * PAGE
