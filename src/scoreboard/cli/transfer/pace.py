"""Pace of a replay: batches as fast as possible, or at the times of their rows."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice

from scoreboard.cli.errors import UsageError
from scoreboard.cli.transfer.rows import Row

MAX = "max"


def parse_speed(text: str) -> float | None:
    """Return a factor of the original pace, None for as fast as possible."""
    if text == MAX:
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e9:
        raise UsageError(f"--speed is {text!r}; give 1 for the original pace, 10 for ten times faster, or max")
    return speed


async def batches(rows: Iterable[Row], size: int, speed: float | None) -> AsyncIterator[list[Row]]:
    """Gather rows into batches of at most `size`, in order, and yield each batch when it is due.

    The first row is due immediately, and so is a row whose time is before that of the previous row.
    """
    if speed is None:
        remaining = iter(rows)
        while batch := list(islice(remaining, size)):
            yield batch
        return
    now = asyncio.get_running_loop().time
    started, origin = now(), None
    batch = []
    for row in rows:
        if origin is None:
            origin = row.item.time
        wait = started + (row.item.time - origin) / speed - now()
        if batch and (wait > 0 or len(batch) == size):
            yield batch
            batch = []
            wait = started + (row.item.time - origin) / speed - now()
        if wait > 0:
            await asyncio.sleep(wait)
        batch.append(row)
    if batch:
        yield batch
