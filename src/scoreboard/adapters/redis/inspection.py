"""What can be seen of a Redis or Valkey without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import AuthenticationError, NoPermissionError

from scoreboard.adapters.redis import keys, rate_limiter
from scoreboard.adapters.redis.connection import FAILURES, Client, connect
from scoreboard.adapters.redis.script import Script
from scoreboard.domain import codes, errors
from scoreboard.domain.submission import WORLD, TableKey

_RIGHTS = Script("acl_check.lua")
_ANY = TableKey(0, "doctor", WORLD)


@dataclass(frozen=True, slots=True)
class Inspection:
    """`policy` is what is thrown away when memory is full: `noeviction`, nothing. `most` is the memory it may have, 0
    without a limit, and `used` what it has, both in bytes. `replica` when it takes no writes; `alone` when it has
    replicas, and would take writes without them."""

    version: str
    policy: str
    used: int
    most: int
    replica: bool
    alone: bool


async def denied(url: str) -> list[str]:
    """The commands that are needed and that the user of the URL may not call on keys and channels as ours. Raises as
    `inspect` does."""
    key = keys.of(_ANY)
    with _told():
        async with connect(url) as client:
            try:
                names: list[bytes] = await _RIGHTS(client, [key], [rate_limiter.PREFIX, keys.changed(_ANY)])
            except NoPermissionError:
                return ["eval"]  # without which nothing else can be asked, and nothing done
    return [name.decode() for name in names]


async def inspect(url: str) -> Inspection:
    """Of a Cluster, one of its masters. Raises Unavailable, whose detail says why without a secret, and ValueError for
    a wrong URL."""
    with _told():
        async with connect(url) as client:
            found = await _info(client)
    return Inspection(
        str(found.get("valkey_version") or found["redis_version"]),
        str(found.get("maxmemory_policy", "unknown")),
        int(found["used_memory"]),
        int(found.get("maxmemory", 0)),
        found["role"] != "master",
        int(found.get("connected_slaves", 0)) > 0 and "min_slaves_good_slaves" not in found,
    )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise codes.RANKING_UNAVAILABLE.error(_why(error)) from error


def _why(error: BaseException) -> str:
    if isinstance(error, AuthenticationError):
        return f"it does not let us in ({error})"
    below = error.__cause__ or error.__context__
    return errors.describe_error(below if isinstance(below, OSError) else error)


def remedy(error: BaseException | None, variable: str) -> str:
    """What to do about what a server, given by this variable, said to who connects."""
    if isinstance(error, AuthenticationError):
        return f"check the user and the password in {variable} (redis://user:password@host)"
    return f"start it, or correct {variable}"


async def _info(client: Client) -> dict[str, Any]:
    found: dict[str, Any]
    if isinstance(client, RedisCluster):
        await client.initialize()
        found = await client.info(target_nodes=client.get_primaries()[0])
    else:
        found = await client.info()
    return found
