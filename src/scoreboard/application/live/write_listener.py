"""Flow control: the state of a transport, for writers that do not wait for it."""

from typing import Protocol


class WriteListener(Protocol):
    """A writer that a transport notifies. No method may raise."""

    def pause(self) -> None:
        """Stop writing what can wait: the write buffer is full."""
        ...

    def resume(self) -> None:
        """Continue to write: most of the buffer was sent."""
        ...

    def lost(self) -> None:
        """Stop writing: the connection is closed."""
        ...


class ObservableTransport(Protocol):
    """A connection as its writer sees it."""

    write_listener: WriteListener | None
