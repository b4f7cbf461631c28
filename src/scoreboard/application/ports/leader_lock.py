"""The leader lock port: jobs that run in one process at a time."""

from collections.abc import Awaitable, Callable
from typing import Protocol


class LeaderLock(Protocol):
    async def run_as_leader(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever this process holds the lock of this name, until cancelled.

        `work` is cancelled when the lock is lost. If the holder dies, another process gets the lock within seconds.
        Cancelling this call releases the lock.
        """
