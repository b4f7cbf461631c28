"""ConnectionLimiter: a limit on open connections, which evicts idle ones."""

import resource
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

RESERVED_FILES = 100  # for the database, libraries while they load, and listening sockets
SCAN_LIMIT = 100  # connections searched for an idle one


def default_limit(live: int) -> int:
    """Return the limit that the system's limit on open files allows.

    It excludes `live` connections, and is at least a quarter of the files.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        files = 1_000_000
    return max(files - live - RESERVED_FILES, files // 4)


class ClosableConnection(Protocol):
    @property
    def idle(self) -> bool:
        """Return whether the connection waits for a request."""
        ...

    def force_close(self) -> None: ...


class ConnectionLimiter:
    """A limit on open connections, without the live ones that `live` counts."""

    def __init__(self, limit: int, live: Callable[[], int], registry: CollectorRegistry) -> None:
        self._limit = limit
        self._live = live
        self._open: dict[ClosableConnection, None] = {}  # those opened or scanned longest ago come first
        self._rejected = Counter(
            "scoreboard_http_turned_away", "Connections closed at once because of the limit.", registry=registry
        )
        self._evicted = Counter(
            "scoreboard_http_made_room", "Idle connections closed to make room for new ones.", registry=registry
        )
        Gauge("scoreboard_http_connections", "Open connections except live ones.", registry=registry).set_function(
            self._count
        )

    def admit(self, connection: ClosableConnection) -> bool:
        """Register a connection, evicting an idle one if needed; return False if full."""
        if self._count() >= self._limit and not self._close_idle():
            self._rejected.inc()
            return False
        self._open[connection] = None
        return True

    def release(self, connection: ClosableConnection) -> None:
        self._open.pop(connection, None)

    def _count(self) -> int:
        return len(self._open) - self._live()

    def _close_idle(self) -> bool:
        for connection in list(islice(self._open, SCAN_LIMIT)):
            del self._open[connection]
            if connection.idle:
                self._evicted.inc()
                connection.force_close()
                return True
            self._open[connection] = None
        return False
