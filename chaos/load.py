"""The controlling side of the process of clients and screens."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from chaos.clients import Orders, Screens
from harness.waiting import BOUND_S

ROOT = Path(__file__).parents[1]
LONGEST_LINE = 1 << 22

Done = TypeVar("Done")


class Load:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def burst(self, answers: int) -> None:
        """Send updates without a pause until `answers` more are acknowledged."""
        wanted = answers + await self._order("burst", int)
        async with asyncio.timeout(4 * BOUND_S):
            while await self._order("count", int) < wanted:
                await asyncio.sleep(0.01)

    async def calm(self) -> None:
        """Continue with pauses between updates."""
        await self._order("calm", int)

    async def hold(self) -> None:
        """Stop sending, and wait for the updates in flight."""
        async with asyncio.timeout(4 * BOUND_S):
            await self._order("hold", int)

    async def shown(self, player: str, score: int) -> bool:
        """Wait until every screen shows this score of the player, or a higher one.

        Return whether they do.
        """
        return await self._order(f"shown {player} {score} {2 * BOUND_S}", bool)

    async def screens(self) -> Screens:
        return await self._order("screens", Screens)

    async def _order(self, order: str, kind: type[Done]) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n".encode())
        line = await self._process.stdout.readline()
        assert line, f"the clients ended with {await self._process.wait()}"
        return msgspec.json.decode(line, type=kind)


@asynccontextmanager
async def load(orders: Orders) -> AsyncIterator[Load]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chaos.clients",
        msgspec.json.encode(orders).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=LONGEST_LINE,
    )
    try:
        yield Load(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(BOUND_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
