"""The feed port: notifications of changed tables between processes."""

from collections.abc import Callable, Collection
from typing import Protocol

from scoreboard.domain.submission import TableKey


class Feed(Protocol):
    """A channel on which processes learn that the top N of a table changed.

    A notification may be lost or repeated. A consumer that must not miss a change also compares positions regularly.
    """

    def listen(self, listener: Callable[[TableKey], None]) -> None:
        """Call `listener` after each change to the top N of a watched table.

        Reads see the change when the call is made. `listener` must not raise.
        """

    def watch(self, keys: Collection[TableKey]) -> None:
        """Replace the set of watched tables. This takes effect within a moment."""

    async def run(self) -> None:
        """Receive notifications until cancelled.

        The loop survives outages of the server, and logs each of them once.
        """
