"""Precedence: where one interpreter does both, a commit goes before a fan-out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST_S = 0.004  # a fan-out waits for a commit, between two of its chunks: it goes on, however many commits there are


class Precedence:
    """A thread that commits needs the interpreter for moments only, but many times; each would have to wait for the
    loop to let go of it. So the loop stays out of the way until the commit is done."""

    def __init__(self) -> None:
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """While a commit is under way."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    async def give_way(self) -> None:
        """To be called between two pieces of long work."""
        await asyncio.sleep(0)
        if self._idle.is_set():
            return
        try:
            async with asyncio.timeout(MOST_S):
                await self._idle.wait()
        except TimeoutError:
            return
