"""Read-only inspection of a Redis or Valkey server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import AuthenticationError, NoPermissionError

from scoreboard.adapters.redis import keys, rate_limiter
from scoreboard.adapters.redis.connection import FAILURES, connect
from scoreboard.adapters.redis.script import Script
from scoreboard.adapters.redis.timeouts import TIMEOUTS, RedisTimeouts
from scoreboard.domain import codes, errors
from scoreboard.domain.submission import WORLD, TableKey

_ACL_CHECK = Script("acl_check.lua")
_ANY = TableKey(0, "doctor", WORLD)


@dataclass(frozen=True, slots=True)
class Inspection:
    """State of a server; memory is in bytes, and 0 is no limit."""

    version: str
    eviction_policy: str
    used_memory: int
    max_memory: int
    replica: bool
    writes_without_replicas: bool  # it has replicas, and takes writes while none is connected


async def denied_commands(url: str, timeouts: RedisTimeouts = TIMEOUTS) -> list[str]:
    """Return the needed commands that the user may not call; raise as `inspect` does."""
    key = keys.of(_ANY)
    with _unavailable_on_failure():
        async with connect(url, timeouts) as client:
            try:
                names: list[bytes] = await _ACL_CHECK(client, [key], [rate_limiter.PREFIX, keys.changed(_ANY)])
            except NoPermissionError:
                return ["eval"]  # Without EVAL, no other command can be checked or used.
    return [name.decode() for name in names]


async def inspect(url: str, timeouts: RedisTimeouts = TIMEOUTS) -> Inspection:
    """Inspect a server, or one master of a Cluster.

    Unavailable gives the reason without a secret; ValueError for a malformed URL.
    """
    found: dict[str, Any]
    with _unavailable_on_failure():
        async with connect(url, timeouts) as client:
            if isinstance(client, RedisCluster):
                await client.initialize()
                found = await client.info(target_nodes=client.get_primaries()[0])
            else:
                found = await client.info()
    return Inspection(
        str(found.get("valkey_version") or found["redis_version"]),
        str(found.get("maxmemory_policy", "unknown")),
        int(found["used_memory"]),
        int(found.get("maxmemory", 0)),
        found["role"] != "master",
        int(found.get("connected_slaves", 0)) > 0 and "min_slaves_good_slaves" not in found,
    )


@contextmanager
def _unavailable_on_failure() -> Iterator[None]:
    try:
        yield
    except AuthenticationError as error:
        raise codes.RANKING_UNAVAILABLE.error(f"authentication failed ({error})") from error
    except FAILURES as error:
        below = error.__cause__ or error.__context__
        reason = errors.describe_error(below if isinstance(below, OSError) else error)
        raise codes.RANKING_UNAVAILABLE.error(reason) from error


def remedy(error: BaseException | None, variable: str) -> str:
    """Return the advice for this error of the server that a variable names."""
    if isinstance(error, AuthenticationError):
        return f"check the user and the password in {variable} (redis://user:password@host)"
    return f"start the server, or correct {variable}"
