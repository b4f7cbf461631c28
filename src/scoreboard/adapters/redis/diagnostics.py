"""Findings about a Redis or Valkey server, for `scoreboard doctor`."""

from collections.abc import AsyncIterator

from scoreboard.adapters.redis import inspection
from scoreboard.adapters.redis.timeouts import RedisTimeouts
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding, version_finding, version_numbers
from scoreboard.domain.redaction import redact_url

OLDEST = (7, 0)
RIGHTS = "~sb:* &sb:* +@read +@write +@scripting +@pubsub +@connection -@dangerous +info +time"
FULL = 0.9  # of its memory


async def diagnose(options: BackendOptions) -> AsyncIterator[Finding]:
    """Yield the findings; Unavailable when the server does not answer."""
    url, timeouts = options.ranking_url, RedisTimeouts().scaled(options.patience)
    denied = await inspection.denied_commands(url, timeouts)
    if denied:
        text = f"its user may not call {', '.join(denied)} on keys and channels that begin with sb:"
        yield Finding("redis", "problem", text, f"ACL SETUSER that user {RIGHTS}")
    if {"eval", "info"} & set(denied):
        return
    found = await inspection.inspect(url, timeouts)
    name = f"Redis {found.version} at {redact_url(url)}"
    yield version_finding("redis", name, new_enough=version_numbers(found.version) >= OLDEST, oldest="7.0")
    if found.replica:
        remedy = "use the URL of the master or the Sentinels"
        yield Finding("redis", "problem", "it is a replica, which accepts no writes", remedy)
    if found.writes_without_replicas:
        text = "it accepts writes while its replicas are disconnected; a failover would lose them"
        yield Finding("redis", "warning", text, "set min-replicas-to-write 1")
    if found.eviction_policy != "noeviction":
        text = f"maxmemory-policy is {found.eviction_policy}: parts of rankings are evicted when its memory is full"
        yield Finding("redis", "problem", text, "set maxmemory-policy noeviction")
    if found.max_memory and (used := found.used_memory / found.max_memory) > FULL:
        text = f"{used:.0%} of its memory is used; when it is full, no rank can be read"
        yield Finding("redis", "warning", text, "raise maxmemory")
