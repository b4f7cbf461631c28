"""Word of changed tables, from whoever ranks to whoever shows them."""

from collections.abc import Callable, Collection
from typing import Protocol

from scoreboard.domain.submission import TableKey


class Feed(Protocol):
    """It may lose a word, and may say one twice. Who must not miss a change compares positions from time to time."""

    def listen(self, heard: Callable[[TableKey], None]) -> None:
        """Tell `heard` of each change to the top N of a watched table, as soon as reads see it. It must not raise."""
        ...

    def watch(self, keys: Collection[TableKey]) -> None:
        """Watch these tables from now on, and no others. It takes effect within a moment."""
        ...

    async def run(self) -> None:
        """Listen, for ever; through failures of the server, which it says once each in the log."""
        ...
