"""Work that one process at a time does, whatever the number of processes."""

from collections.abc import Awaitable, Callable
from typing import Protocol


class LeaderLock(Protocol):
    async def run_as_leader(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """For ever: wait for the turn under this name, do `work`, and stop it (it is cancelled) when the turn is lost.
        When the process that has the turn dies, another gets it within seconds. Cancelling gives the turn back."""
        ...
