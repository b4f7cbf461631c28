"""Backend plugins for PostgreSQL: the database that processes share, and a replica of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from scoreboard.adapters.postgres import counts, database, diagnostics, inspection, partitions, statistics
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.leader_lock import PostgresLeaderLock
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.outbox import PostgresOutbox
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.adapters.postgres.replica import open_replica
from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, NotUsable, Ping, ReplicaBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.redaction import redact_url

MONTHS_AHEAD = 3
TABLES_EVERY_S = 10.0  # a total is read from as many rows as batches with new players came in that time
PARTITIONS_EVERY_S = 6 * 3_600.0


class PostgresPlugin:
    name = "postgresql"

    def check_url(self, url: str) -> None:
        database.check_url(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose_primary(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, options.database_url, "SCOREBOARD_DATABASE_URL")

    async def migrate(self, options: BackendOptions) -> list[str]:
        try:
            return await database.migrate(options.database_url)
        except Unavailable as error:
            raise self._unreachable(error, options) from error

    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
        """Open it with its replica, if there is one. Its schema must be there; the replica may be down."""
        await self._check_schema(options)
        store = await stack.enter_async_context(
            database.open_database(options.database_url, connections=options.database_connections)
        )
        replica = None
        pings: dict[str, Ping] = {self.name: lambda: store.fetch("SELECT 1")}
        if options.database_replica_url:
            replica = await stack.enter_async_context(open_replica(store, options.database_replica_url))
            pings[PostgresReplicaPlugin.name] = replica.look
        directory, outbox = PostgresDirectory(store, replica), PostgresOutbox(store)
        await directory.start()
        return DatabaseBackend(
            directory=directory,
            ledger=PostgresLedger(store, reading=replica, outbox=outbox if options.events else None),
            outbox=outbox,
            leader_lock=PostgresLeaderLock(store),
            totals=PostgresRanking(store),
            replica=None if replica is None else ReplicaBackend(PostgresRanking(replica), lambda: replica.lag_s),
            pings=pings,
            tasks=[directory.run],
            jobs={"partitions": lambda: _keep_partitions(store, clock), "tables": lambda: _keep_tables(store)},
        )

    async def _check_schema(self, options: BackendOptions) -> None:
        try:
            found = await inspection.inspect(options.database_url)
        except Unavailable as error:
            raise self._unreachable(error, options) from error
        if found.schema < found.newest:
            has = f"has schema {found.schema} of {found.newest}" if found.schema else "has no schema yet"
            raise NotUsable(f"the database at {redact_url(options.database_url)} {has}; run: scoreboard migrate")

    def _unreachable(self, error: Unavailable, options: BackendOptions) -> NotUsable:
        where = redact_url(options.database_url)
        remedy = self.remedy(error.__cause__, options)
        return NotUsable(f"PostgreSQL at {where} cannot be used: {database.describe_error(error)}; {remedy}")


class PostgresReplicaPlugin:
    """Checks and diagnoses a replica; PostgresPlugin opens it."""

    name = "replica"

    def check_url(self, url: str) -> None:
        database.check_url(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose_replica(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, options.database_replica_url, "SCOREBOARD_DATABASE_REPLICA_URL")


async def _keep_partitions(store: Database, clock: Clock) -> None:
    """Make the ledger's partitions some months ahead."""
    while True:
        with contextlib.suppress(Unavailable):  # the default partition takes the rows until the next pass
            await partitions.ensure_ahead(store, clock(), MONTHS_AHEAD)
        await asyncio.sleep(PARTITIONS_EVERY_S)


async def _keep_tables(store: Database) -> None:
    """Fold the counts of standings, and analyze what has grown."""
    while True:
        with contextlib.suppress(Unavailable):  # totals stay exact without it, and get slower
            await counts.fold(store)
            await statistics.analyze_grown(store)
        await asyncio.sleep(TABLES_EVERY_S)
