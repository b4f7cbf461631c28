"""The part of an outbox that SQLite and PostgreSQL share."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from scoreboard.application.ports.outbox import Arrival, Backlog


class SqlOutbox:
    """The signal of new events, for readers in the process that commits them."""

    def __init__(self) -> None:
        self._arrival = Arrival()

    def committed(self) -> None:
        """Wake the readers of this process."""
        self._arrival.notify()

    def added(self) -> asyncio.Event:
        return self._arrival.next()


def to_backlogs(rows: Iterable[Any]) -> Mapping[str, Backlog]:
    """Return the backlogs: name, events, bytes, age of the oldest, skipped events."""
    return {name: Backlog(*numbers) for name, *numbers in map(tuple, rows)}
