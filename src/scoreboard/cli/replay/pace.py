"""Pace: rows gathered into batches, as fast as possible or at the pace of their times."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice

from scoreboard.cli.errors import UsageError
from scoreboard.cli.replay.rows import Row

BATCH = 1_000
MAX = "max"


def speed_of(text: str) -> float | None:
    """None for as fast as possible, or else how many times faster than the rows happened."""
    if text == MAX:
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e9:
        raise UsageError(f"--speed is 1 for the original pace, 10 for ten times faster, or max, not {text!r}")
    return speed


async def batches(rows: Iterable[Row], speed: float | None) -> AsyncIterator[list[Row]]:
    """All rows in order, at most BATCH at once, each as soon as its time has come; the first is due at once. A row
    with an earlier time than the one before it is late, and due at once too."""
    if speed is None:
        every = iter(rows)
        while batch := list(islice(every, BATCH)):
            yield batch
        return
    now = asyncio.get_running_loop().time
    started, origin = now(), None
    batch = []
    for row in rows:
        if origin is None:
            origin = row.time
        wait = started + (row.time - origin) / speed - now()
        if batch and (wait > 0 or len(batch) == BATCH):
            yield batch
            batch = []
            wait = started + (row.time - origin) / speed - now()
        if wait > 0:
            await asyncio.sleep(wait)
        batch.append(row)
    if batch:
        yield batch
