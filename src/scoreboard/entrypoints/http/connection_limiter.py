"""ConnectionLimiter: how many connections there may be, and which one makes room for the next."""

import resource
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

OWN_FILES = 100  # of the process: the database, libraries while they load, listening sockets
LOOKED_AT = 100  # connections at most, for one that does nothing


def room(live: int) -> int:
    """How many connections the system's limit on open files has room for beside `live` ones; at least a quarter."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = 1_000_000
    return max(files - live - OWN_FILES, files // 4)


class ClosableConnection(Protocol):
    @property
    def idle(self) -> bool:
        """Whether it waits for a request."""
        ...

    def force_close(self) -> None: ...


class ConnectionLimiter:
    """At most `limit` connections beside the live ones, of which `live` says how many there are."""

    def __init__(self, limit: int, live: Callable[[], int], registry: CollectorRegistry) -> None:
        self._limit = limit
        self._live = live
        self._open: dict[ClosableConnection, None] = {}
        self._turned_away = Counter(
            "scoreboard_http_turned_away", "Connections closed at once, as there were too many.", registry=registry
        )
        self._made_room = Counter(
            "scoreboard_http_made_room", "Idle connections closed to make room for new ones.", registry=registry
        )
        Gauge("scoreboard_http_connections", "Open connections, live ones apart.", registry=registry).set_function(
            self._count
        )

    def enter(self, connection: ClosableConnection) -> bool:
        """Whether this new connection may stay: there is room, or an idle one was closed for it."""
        if self._count() >= self._limit and not self._make_room():
            self._turned_away.inc()
            return False
        self._open[connection] = None
        return True

    def leave(self, connection: ClosableConnection) -> None:
        self._open.pop(connection, None)

    def _count(self) -> int:
        return len(self._open) - self._live()

    def _make_room(self) -> bool:
        """Close an idle one of the first, which are those open, or looked at, longest ago."""
        for connection in list(islice(self._open, LOOKED_AT)):
            del self._open[connection]
            if connection.idle:
                self._made_room.inc()
                connection.force_close()
                return True
            self._open[connection] = None
        return False
