"""The backends for PostgreSQL: a shared database, and a replica of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from scoreboard.adapters.postgres import database, diagnostics, inspection, maintenance
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.leader_lock import PostgresLeaderLock
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.adapters.postgres.replica import open_replica
from scoreboard.adapters.postgres.timeouts import DEFAULTS, PostgresTimeouts
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, NotUsable, Ping, ReplicaBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.concurrency.every import every
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.redaction import redact_url

MONTHS_AHEAD = 3
TABLES_EVERY_S = 10.0  # A total is the sum of the rows that batches with new players have added since.
PARTITIONS_EVERY_S = 6 * 3_600.0  # Rows without their partition go to the default partition.


class PostgresPlugin:
    """The plugin for PostgreSQL and its replica."""

    name = "postgresql"

    def check_url(self, url: str) -> None:
        database.check_url(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose_primary(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, options.database_url, "SCOREBOARD_DATABASE_URL")

    async def migrate(self, options: BackendOptions) -> list[str]:
        try:
            return await database.migrate(options.database_url, DEFAULTS.scaled(options.patience))
        except Unavailable as error:
            raise self._unreachable(error, options) from error

    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
        """Open the database, and its replica if configured, which may be down."""
        timeouts = DEFAULTS.scaled(options.patience)
        await self._check_schema(options, timeouts)
        store = await stack.enter_async_context(
            database.open_database(options.database_url, connections=options.database_connections, timeouts=timeouts)
        )
        replica = None
        pings: dict[str, Ping] = {self.name: lambda: store.fetch("SELECT 1")}
        if options.database_replica_url:
            replica = await stack.enter_async_context(open_replica(store, options.database_replica_url))
            pings[PostgresReplicaPlugin.name] = replica.check
        directory, outbox = PostgresDirectory(store, replica), PostgresOutbox(store)
        await directory.start()

        async def create_partitions() -> None:
            await maintenance.create_partitions(store, clock(), MONTHS_AHEAD)

        async def maintain_tables() -> None:
            await maintenance.fold_counts(store)
            await maintenance.analyze_grown(store)

        return DatabaseBackend(
            directory=directory,
            ledger=PostgresLedger(store, reader=replica, outbox=outbox if options.events else None),
            outbox=outbox,
            leader_lock=PostgresLeaderLock(store),
            totals=PostgresRanking(store),
            replica=None if replica is None else ReplicaBackend(PostgresRanking(replica), lambda: replica.lag_s),
            pings=pings,
            tasks=[directory.run],
            jobs={
                "partitions": lambda: every(PARTITIONS_EVERY_S, create_partitions, "partitions"),
                "tables": lambda: every(TABLES_EVERY_S, maintain_tables, "tables"),
            },
        )

    async def _check_schema(self, options: BackendOptions, timeouts: PostgresTimeouts) -> None:
        try:
            found = await inspection.inspect(options.database_url, timeouts)
        except Unavailable as error:
            raise self._unreachable(error, options) from error
        if found.schema < found.newest:
            has = f"has schema version {found.schema} of {found.newest}" if found.schema else "has no schema yet"
            raise NotUsable(f"the database at {redact_url(options.database_url)} {has}; run: scoreboard migrate")

    def _unreachable(self, error: Unavailable, options: BackendOptions) -> NotUsable:
        url = redact_url(options.database_url)
        remedy = self.remedy(error.__cause__, options)
        return NotUsable(f"PostgreSQL at {url} cannot be used: {database.describe_error(error)}; {remedy}")


class PostgresReplicaPlugin:
    """The checks and the diagnosis of a replica, which PostgresPlugin opens."""

    name = "replica"

    def check_url(self, url: str) -> None:
        database.check_url(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose_replica(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, options.database_replica_url, "SCOREBOARD_DATABASE_REPLICA_URL")
