"""MemoryLeaderLock: a single process is always the leader."""

from collections.abc import Awaitable, Callable


class MemoryLeaderLock:
    async def run_as_leader(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await work()
