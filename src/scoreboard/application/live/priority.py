"""Commit priority: where one interpreter does both, a commit goes before a fan-out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST_S = 0.004  # between two of its chunks a fan-out waits this long for commits, however many there are


class CommitPriority:
    """Keeps the event loop idle while a thread commits.

    The thread needs the interpreter for moments only, but many times, and would have to wait for the loop each time.
    """

    def __init__(self) -> None:
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Mark a commit as running."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    async def yield_to_commit(self) -> None:
        """Wait for the running commit, for a bounded time. To be awaited between two pieces of long work."""
        await asyncio.sleep(0)
        if self._idle.is_set():
            return
        try:
            async with asyncio.timeout(MOST_S):
                await self._idle.wait()
        except TimeoutError:
            return
