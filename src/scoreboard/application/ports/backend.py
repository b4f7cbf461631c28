"""Backend plugins: one class per technology opens ports and diagnoses a server.

A plugin is registered by setting and URL scheme in `scoreboard.bootstrap.registry`, or by another distribution as an
entry point. Its module, and with it the driver, is imported only when a URL of its scheme is used.

The settings `database_url`, `ranking_url` and `queue_url` take a DatabasePlugin, RankingPlugin and QueuePlugin. The
setting `database_replica_url` takes a ServerPlugin: the plugin of the primary opens the replica too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.feed import Feed
from scoreboard.application.ports.leader_lock import LeaderLock
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.outbox import Outbox
from scoreboard.application.ports.queue import Queue
from scoreboard.application.ports.ranking import LedgerTotals, Ranking, RankingCache
from scoreboard.application.ports.rate_limiter import RateLimiter
from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey

Task: TypeAlias = Callable[[], Awaitable[None]]
"""Work that runs until it is cancelled."""
Ping: TypeAlias = Callable[[], Awaitable[object]]
"""Returns when the server answers, and raises when it does not."""
LoadTable: TypeAlias = Callable[[TableKey, Board], Awaitable[int]]
"""Load a table and return how many standings it has. Raises NotRanked when it could not be loaded."""


class NotUsable(Exception):
    """The failure of a server that the service cannot start without, with a remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """The settings that plugins read.

    A URL is empty where there is no such server, and may contain a password. `events` is set when event consumers are
    configured: then the ledger writes the outbox. `patience` multiplies every time-out of a server; tests raise it.
    """

    data: Path
    database_url: str
    database_connections: int
    database_replica_url: str
    ranking_url: str
    ranking_keep: int
    queue_url: str
    events: bool
    patience: float = 1.0


@dataclass(frozen=True, slots=True)
class ReplicaBackend:
    """A replica of the database. The ports of its DatabaseBackend read from it.

    `totals` reads the ledger's totals from the replica. `lag_s` returns its lag at the last ping.
    """

    totals: LedgerTotals
    lag_s: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackend:
    """The ports of an open database.

    `leader_lock` is None where only one process can open the database. `totals` answers reads while the ranking is
    down. `pings` has a ping for each server, by plugin name. Every process runs all `tasks`. Each of `jobs`, by name,
    runs in one process at a time.
    """

    directory: Directory
    ledger: Ledger
    outbox: Outbox
    leader_lock: LeaderLock | None = None
    totals: LedgerTotals | None = None
    replica: ReplicaBackend | None = None
    pings: Mapping[str, Ping] = field(default_factory=dict)
    tasks: Sequence[Task] = ()
    jobs: Mapping[str, Task] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingBackend:
    """The ports of an open ranking.

    A ranking in the memory of this process has `load_table`. A shared one has `feed` instead, and the service provides
    fallbacks for its reads and rate limits. `cache` is set where the ranking may hold only a part of each table.
    `pings` and `tasks` are those of a DatabaseBackend.
    """

    ranking: Ranking
    rate_limiter: RateLimiter
    load_table: LoadTable | None = None
    feed: Feed | None = None
    cache: RankingCache | None = None
    pings: Mapping[str, Ping] = field(default_factory=dict)
    tasks: Sequence[Task] = ()


@dataclass(frozen=True, slots=True)
class QueueBackend:
    """An open queue, and the name of its plugin."""

    name: str
    queue: Queue


class DatabaseOpener(Protocol):
    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
        """Open the database and push its closing on `stack`.

        Raises NotUsable when the database is unreachable or has no schema.
        """

    async def migrate(self, options: BackendOptions) -> list[str]:
        """Apply the missing migrations, and return their names. Raises NotUsable."""


class RankingOpener(Protocol):
    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        """Open the ranking, even while its server is down; push its closing on `stack`."""


class QueueOpener(Protocol):
    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> QueueBackend:
        """Open the queue, even while its server is down; push its closing on `stack`."""


class ServerPlugin(Protocol):
    @property
    def name(self) -> str:
        """The server's name in `scoreboard doctor` and the metric `scoreboard_server_up`."""

    def check_url(self, url: str) -> None:
        """Raise ValueError for a malformed URL; the message contains no part of the URL."""

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        """Yield findings about the server without changing anything on it.

        Raises Unavailable when the server does not answer; its `detail` gives the reason.
        """

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        """Return advice on an error that the driver raised when it connected."""


class DatabasePlugin(ServerPlugin, DatabaseOpener, Protocol):
    """The plugin of a scheme of `database_url`."""


class RankingPlugin(ServerPlugin, RankingOpener, Protocol):
    """The plugin of a scheme of `ranking_url`."""


class QueuePlugin(ServerPlugin, QueueOpener, Protocol):
    """The plugin of a scheme of `queue_url`."""
