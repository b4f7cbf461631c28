"""MemoryTurns: one process has every turn."""

from collections.abc import Awaitable, Callable


class MemoryTurns:
    async def in_turn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await work()
