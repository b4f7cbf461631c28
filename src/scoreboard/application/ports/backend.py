"""Backend plugins: one class per technology opens the ports and diagnoses its server.

A plugin is registered by setting and URL scheme in `scoreboard.bootstrap.registry`, or by another distribution as an
entry point. Its module, and with it the driver, is imported when a URL of its scheme is used, and not before.

A plugin of `database_url` is a ServerPlugin and a DatabaseOpener, one of `ranking_url` a ServerPlugin and a
RankingOpener, one of `queue_url` a ServerPlugin and a QueueOpener. One of `database_replica_url` is a ServerPlugin:
the primary's plugin opens the replica too, because it reads from both.
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
    """A server or a store that the service cannot start without is missing or unfit; str() says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """The settings that plugins read. A URL is empty where there is no such server, and may contain a password.

    `events`: event consumers are configured, so the ledger writes the outbox. `patience` is the factor for every
    time-out of a server: tests on a busy machine raise it.
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
    """A replica of the database, used by the ports of the DatabaseBackend that it belongs to.

    `totals` reads the ledger's totals from the replica. `lag_s` is how far it was behind at the last ping.
    """

    totals: LedgerTotals
    lag_s: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackend:
    """The ports of an open database.

    `turns` is None where one process has the database to itself. `totals` serves while the ranking is down. `pings` has
    each server by its plugin's name. Every process runs `tasks`; one process at a time runs each of `jobs`.
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

    `load_table` is given where the ranking is in the memory of this process. Otherwise processes share it: then `feed`
    publishes its changes, and the service has a fallback for its reads and limits. `cache` is given where the ranking
    may keep a part of each table. `pings` and `tasks` are as those of a DatabaseBackend.
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
        """Open the database and push its close on `stack`. Raises NotUsable when it is unreachable or has no schema."""
        ...

    async def migrate(self, options: BackendOptions) -> list[str]:
        """Apply the missing migrations and return their names. Raises NotUsable when the database is unreachable."""
        ...


class RankingOpener(Protocol):
    async def open(
        self, options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
    ) -> RankingBackend:
        """Open a ranking of the database's standings and push its close on `stack`. Its server may be down."""
        ...


class QueueOpener(Protocol):
    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> QueueBackend:
        """Open the queue and push its close on `stack`. Its server may be down."""
        ...


class ServerPlugin(Protocol):
    @property
    def name(self) -> str:
        """The server's name in `scoreboard doctor` and in the metric `scoreboard_server_up`."""
        ...

    def check_url(self, url: str) -> None:
        """Raise ValueError for a malformed URL; its text has nothing of the URL in it."""
        ...

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        """Look at the server without changing it. Raises Unavailable when it does not answer; its detail says why."""
        ...

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        """Return what to do about an error that the driver raised when it connected."""
        ...


class DatabasePlugin(ServerPlugin, DatabaseOpener, Protocol):
    """The plugin of a scheme of `database_url`."""


class RankingPlugin(ServerPlugin, RankingOpener, Protocol):
    """The plugin of a scheme of `ranking_url`."""


class QueuePlugin(ServerPlugin, QueueOpener, Protocol):
    """The plugin of a scheme of `queue_url`."""
