"""Findings about a Redis or Valkey server, for `scoreboard doctor`."""

from collections.abc import AsyncIterator

from scoreboard.adapters.redis import inspection
from scoreboard.application.ports.backend import BackendOptions
from scoreboard.application.ports.diagnostics import Finding, version_finding, version_numbers
from scoreboard.domain.redaction import redact_url

OLDEST = (7, 0)
RIGHTS = "~sb:* &sb:* +@read +@write +@scripting +@pubsub +@connection -@dangerous +info +time"
FULL = 0.9  # of its memory


async def diagnose(options: BackendOptions) -> AsyncIterator[Finding]:
    """Raises Unavailable when it does not answer."""
    url = options.ranking_url
    denied = await inspection.denied(url)
    if denied:
        text = f"its user may not call {', '.join(denied)} on keys and channels that begin with sb:"
        yield Finding("redis", "problem", text, f"ACL SETUSER that user {RIGHTS}")
    if {"eval", "info"} & set(denied):
        return
    found = await inspection.inspect(url)
    name = f"Redis {found.version} at {redact_url(url)}"
    yield version_finding("redis", name, new_enough=version_numbers(found.version) >= OLDEST, oldest="7.0")
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
