"""Findings about a PostgreSQL server and its replica, for `scoreboard doctor`."""

from collections.abc import AsyncIterator

from scoreboard.adapters.postgres import inspection, replica
from scoreboard.adapters.postgres.inspection import Inspection
from scoreboard.adapters.postgres.timeouts import DEFAULTS
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding, version_finding
from scoreboard.domain.redaction import redact_url

OLDEST = 150_000
PROCESSES = 4  # A database should have connections for one process of each role.
LAG_S = 30.0  # A longer delay of a replica is a warning.
MIGRATE = "scoreboard migrate"


async def diagnose_primary(options: BackendOptions) -> AsyncIterator[Finding]:
    """Yield the findings about the primary. Raise Unavailable if it is down."""
    found = await inspection.inspect(options.database_url, DEFAULTS.scaled(options.patience))
    major, minor = divmod(found.version, 10_000)
    name = f"PostgreSQL {major}.{minor} at {redact_url(options.database_url)}"
    yield version_finding("postgresql", name, new_enough=found.version >= OLDEST, oldest="15")
    if found.replica:
        remedy = "use the URL of the primary; with several hosts, add ?target_session_attrs=primary"
        yield Finding("postgresql", "problem", "it is a replica, which accepts no updates", remedy)
    yield _schema(found)
    if not found.durable:
        text = "fsync or full_page_writes is off: a power failure may lose committed data"
        yield Finding("postgresql", "problem", text, "turn both on in postgresql.conf")
    yield _connections(found, options.database_connections)


async def diagnose_replica(options: BackendOptions) -> AsyncIterator[Finding]:
    """Yield the findings about the replica. Raise Unavailable if a server is down."""
    url = redact_url(options.database_replica_url)
    try:
        timeouts = DEFAULTS.scaled(options.patience)
        lag_s = await replica.inspect(options.database_url, options.database_replica_url, timeouts)
    except replica.ReplicaUnusable as error:
        remedy = "correct or remove SCOREBOARD_DATABASE_REPLICA_URL; until then, the primary serves the reads"
        yield Finding("replica", "problem", f"{url}: {error}", remedy)
        return
    if lag_s > LAG_S:
        remedy = "find the cause with pg_stat_replication on the primary; until then, the primary serves the reads"
        yield Finding("replica", "warning", f"{url} is {lag_s:,.0f} s behind", remedy)
    else:
        yield Finding("replica", "ok", f"{url} is replicating, {lag_s:.1f} s behind")


def _schema(found: Inspection) -> Finding:
    if not found.schema:
        return Finding("postgresql", "problem", "it has no schema yet", MIGRATE)
    text = f"schema version {found.schema} of {found.newest}"
    if found.schema < found.newest:
        return Finding("postgresql", "problem", text, MIGRATE)
    if found.schema > found.newest:
        return Finding("postgresql", "warning", f"{text}: a newer Scoreboard created it", "update Scoreboard here too")
    return Finding("postgresql", "ok", text)


def _connections(found: Inspection, connections: int) -> Finding:
    text = f"{found.used} of its {found.room} connections are in use; each process uses up to {connections}"
    if found.room < PROCESSES * connections:
        remedy = "raise max_connections, or lower SCOREBOARD_DATABASE_CONNECTIONS"
        return Finding("postgresql", "warning", f"{text}: too few for one process of each role", remedy)
    return Finding("postgresql", "ok", text)
