"""Flow control: how a door that writes without waiting learns what becomes of what it wrote."""

from typing import Protocol


class WriteListener(Protocol):
    """Who writes to a transport, and is told by it. Never raises."""

    def pause(self) -> None:
        """Too much is unsent: write nothing more that can wait."""
        ...

    def resume(self) -> None:
        """Most of it was sent."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class ObservableTransport(Protocol):
    """One connection, as who writes to it sees it."""

    write_listener: WriteListener | None
