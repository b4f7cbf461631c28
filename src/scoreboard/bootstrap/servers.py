"""What of the servers that processes share is well and what is not, in plain words."""

import asyncio
from collections.abc import AsyncIterator, Callable

from scoreboard.adapters.postgres import inspection as postgres
from scoreboard.adapters.postgres import replica
from scoreboard.adapters.rabbitmq import inspection as rabbitmq
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.adapters.redis import inspection as redis
from scoreboard.bootstrap.checkup import Finding
from scoreboard.bootstrap.distributed import QUEUE
from scoreboard.bootstrap.settings import Settings, shown_url
from scoreboard.domain.errors import Unavailable, why

CHECK_S = 8.0
OLDEST_POSTGRES, OLDEST_REDIS, OLDEST_RABBITMQ = 150_000, (7, 0), (3, 10)
PROCESSES = 4  # that a database should have room for: one of each role
REDIS_RIGHTS = "~sb:* &sb:* +@read +@write +@scripting +@pubsub +@connection -@dangerous +info +time"
RABBITMQ_RIGHTS = rf"'^{QUEUE}' '^({QUEUE}|amq\.default)' '^{QUEUE}'"
FULL = 0.9  # of its memory
LAGS_S = 30.0  # that a replica may be behind without a word
MIGRATE = "scoreboard migrate"

_Look = Callable[[], AsyncIterator[Finding]]


async def of_servers(settings: Settings) -> list[Finding]:
    """All at once, each within a few seconds."""
    looks: list[tuple[str, str, _Look]] = [
        ("postgresql", settings.database_url, lambda: _of_database(settings, settings.database_url)),
        ("redis", settings.ranking_url, lambda: _of_redis(settings)),
    ]
    if settings.database_replica_url:
        looks.append(("replica", settings.database_replica_url, lambda: _of_replica(settings)))
    if settings.queue_url:
        looks.append(("rabbitmq", settings.queue_url, lambda: _of_queue(settings)))
    found = await asyncio.gather(*(_looked(*look) for look in looks))
    return [finding for findings in found for finding in findings]


async def _looked(check: str, url: str, look: _Look) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_S):
            return [finding async for finding in look()]
    except (Unavailable, TimeoutError) as error:
        reason = error.detail if isinstance(error, Unavailable) else why(error)
        return [Finding(check, "problem", f"{shown_url(url)}: {reason}", _remedy(check, url, error.__cause__))]


def _remedy(check: str, url: str, error: BaseException | None) -> str:
    match check:
        case "redis":
            return redis.remedy(error, _VARIABLES[check])
        case "rabbitmq":
            return rabbitmq.remedy(error, url, _VARIABLES[check], RABBITMQ_RIGHTS)
        case _:
            return postgres.remedy(error, url, _VARIABLES[check])


_VARIABLES = {
    "postgresql": "SCOREBOARD_DATABASE_URL",
    "replica": "SCOREBOARD_DATABASE_REPLICA_URL",
    "redis": "SCOREBOARD_RANKING_URL",
    "rabbitmq": "SCOREBOARD_QUEUE_URL",
}


async def _of_database(settings: Settings, url: str) -> AsyncIterator[Finding]:
    found = await postgres.inspect(url)
    major, minor = divmod(found.version, 10_000)
    yield _version(
        "postgresql", f"PostgreSQL {major}.{minor} at {shown_url(url)}", found.version >= OLDEST_POSTGRES, "15"
    )
    if found.replica:
        remedy = "name the primary; with several hosts add ?target_session_attrs=primary"
        yield Finding("postgresql", "problem", "it is a replica and takes no updates", remedy)
    yield _schema(found)
    if not found.durable:
        text = "fsync or full_page_writes is off: what is committed may be lost with the power"
        yield Finding("postgresql", "problem", text, "set both on in postgresql.conf")
    yield _connections(settings, found)


async def _of_replica(settings: Settings) -> AsyncIterator[Finding]:
    where = shown_url(settings.database_replica_url)
    try:
        lag_s = await replica.inspect(settings.database_url, settings.database_replica_url)
    except replica.Unfit as error:
        remedy = "correct SCOREBOARD_DATABASE_REPLICA_URL, or leave it out; until then reads go to the primary"
        yield Finding("replica", "problem", f"{where}: {error}", remedy)
        return
    if lag_s > LAGS_S:
        remedy = "see what holds it up (pg_stat_replication on the primary); until then reads go to the primary"
        yield Finding("replica", "warning", f"{where} is {lag_s:,.0f} s behind", remedy)
    else:
        yield Finding("replica", "ok", f"{where} follows, {lag_s:.1f} s behind")


def _schema(found: postgres.Inspection) -> Finding:
    if not found.schema:
        return Finding("postgresql", "problem", "it has no schema yet", MIGRATE)
    text = f"schema {found.schema} of {found.newest}"
    if found.schema < found.newest:
        return Finding("postgresql", "problem", text, MIGRATE)
    if found.schema > found.newest:
        return Finding("postgresql", "warning", f"{text}: a newer Scoreboard made it", "update this one")
    return Finding("postgresql", "ok", text)


def _connections(settings: Settings, found: postgres.Inspection) -> Finding:
    wanted = PROCESSES * settings.database_connections
    text = f"{found.used} of its {found.room} connections are in use; a process takes {settings.database_connections}"
    if found.room < wanted:
        remedy = "raise max_connections, or lower SCOREBOARD_DATABASE_CONNECTIONS"
        return Finding("postgresql", "warning", f"{text}: too few for one process of each role", remedy)
    return Finding("postgresql", "ok", text)


async def _of_redis(settings: Settings) -> AsyncIterator[Finding]:
    denied = await redis.denied(settings.ranking_url)
    if denied:
        text = f"its user may not call {', '.join(denied)} on keys and channels that begin with sb:"
        yield Finding("redis", "problem", text, f"ACL SETUSER that user {REDIS_RIGHTS}")
    if {"eval", "info"} & set(denied):
        return
    found = await redis.inspect(settings.ranking_url)
    name = f"Redis {found.version} at {shown_url(settings.ranking_url)}"
    yield _version("redis", name, _numbers(found.version) >= OLDEST_REDIS, "7.0")
    if found.replica:
        yield Finding("redis", "problem", "it is a replica and takes no writes", "name the master, or the Sentinels")
    if found.alone:
        text = "it has replicas and takes writes when it is cut off from them: a failover loses those"
        yield Finding("redis", "warning", text, "set min-replicas-to-write 1")
    if found.policy != "noeviction":
        text = f"maxmemory-policy is {found.policy}: when its memory is full it throws away parts of rankings"
        yield Finding("redis", "problem", text, "set maxmemory-policy noeviction")
    if found.most and found.used > FULL * found.most:
        text = f"{found.used / found.most:.0%} of its memory is used; when it is full no rank can be told"
        yield Finding("redis", "warning", text, "raise maxmemory")


async def _of_queue(settings: Settings) -> AsyncIterator[Finding]:
    found = await rabbitmq.inspect(settings.queue_url, Topology(QUEUE))
    name = f"RabbitMQ {found.version} at {shown_url(settings.queue_url)}"
    yield _version(
        "rabbitmq", name, _numbers(found.version) >= OLDEST_RABBITMQ, "3.10, which has what is needed of quorum queues"
    )
    if found.blocked:
        text = "it is out of memory or disk, and takes no messages"
        yield Finding("rabbitmq", "problem", text, "give it more of what `rabbitmqctl list_alarms` names")
    if found.lacks == "rights":
        text = f"its user may not make our queues, whose names begin with {QUEUE}"
        vhost, user = rabbitmq.names(settings.queue_url)
        yield Finding("rabbitmq", "problem", text, f"rabbitmqctl set_permissions -p {vhost} {user} {RABBITMQ_RIGHTS}")
    elif found.lacks:
        text = "it has no quorum queues: what it confirms may be lost"
        yield Finding("rabbitmq", "problem", text, "rabbitmqctl enable_feature_flag quorum_queue")
    elif not found.made:
        yield Finding("rabbitmq", "ok", "our queues are not there yet; the first process makes them")
    elif not found.takers:
        yield Finding("rabbitmq", "warning", "nobody takes what is queued", "start: scoreboard worker")
    if found.dead:
        yield Finding("rabbitmq", "warning", f"{found.dead:,} dead letters", "look at them: scoreboard dlq list")


def _version(check: str, name: str, new_enough: bool, oldest: str) -> Finding:
    if new_enough:
        return Finding(check, "ok", name)
    return Finding(check, "problem", f"{name} is too old", f"update it to at least {oldest}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
