"""Connections to a Redis or Valkey server, a master behind Sentinel, or a Cluster.

No call is repeated here, because redis-py, which retries ten times by default, does not know which calls may be
repeated. A call that fails does so within seconds, and its caller decides. The next call connects again. It asks the
Sentinels for the master, or the Cluster for its slots.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from scoreboard.adapters.redis.sentinels import Sentinels
from scoreboard.adapters.redis.timeouts import TIMEOUTS, RedisTimeouts

T = TypeVar("T")

Client: TypeAlias = Redis | RedisCluster

FAILURES = (RedisError, RedisClusterException)  # all that a call may raise: the second is not a RedisError

HEALTH_S = 15.0  # a connection that was idle for longer is checked before use
CONNECTIONS = 16  # to each server; a call needs one for well under a millisecond
SPARE = 4  # connections for subscriptions, which are not limited

_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_PORTS = {"sentinel": 26_379}
_PORT = 6_379
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_TLS_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_EXAMPLE = "an example is redis://127.0.0.1:6379/0"


# redis-py parses the URL of one server, and RedisCluster that of its first node. It has no URL for Sentinel or several
# hosts. It takes every option from the query, reads a malformed database as 0, and quotes passwords in its errors.
@dataclass(frozen=True, slots=True)
class Address:
    """A valid URL.

    `kind` is '', 'unix', 'sentinel' or 'cluster'. `url` is the URL of the first host as redis-py reads it.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    tls: dict[str, Any]
    url: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Check and split a URL; the text of the ValueError never contains a password."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(f"not a URL; {_EXAMPLE}") from None
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"the scheme must be one of {', '.join(_SCHEMES)}; {_EXAMPLE}")
        scheme, _, kind = parts.scheme.partition("+")
        kind = kind or ("unix" if scheme == "unix" else "")
        service, path = _service(kind, parts.path)
        tls = _tls(parts.query, ssl=scheme == "rediss")
        credentials, at, netloc = parts.netloc.rpartition("@")
        hosts = () if kind == "unix" else _hosts(kind, netloc)
        number = path.strip("/")
        if kind == "cluster" and number:
            raise ValueError("a Cluster has only one database; remove the path after the hosts")
        if kind != "unix" and number and not re.fullmatch("[0-9]{1,5}", number):
            raise ValueError(f"the database must be a number; {_EXAMPLE}")
        one = f"{scheme}://{credentials}{at}{netloc.partition(',')[0]}{path}?{parts.query}"
        return cls(kind, hosts, service, tls, one)


def _service(kind: str, path: str) -> tuple[str, str]:
    """Return the service that the Sentinels watch, and the rest of the path."""
    if kind != "sentinel":
        return "", path
    service, _, rest = path[1:].partition("/")
    if not service:
        raise ValueError(
            "the name of the service is missing; an example is redis+sentinel://host:26379,host:26379/service"
        )
    return unquote(service), f"/{rest}"


def _hosts(kind: str, netloc: str) -> tuple[tuple[str, int], ...]:
    found = [_HOST.fullmatch(host) for host in netloc.split(",")]
    hosts = tuple((host[1].strip("[]"), int(host[2] or _PORTS.get(kind, _PORT))) for host in found if host)
    if len(hosts) != len(found) or any(not 0 < port < 65_536 for _, port in hosts):
        raise ValueError("each host must be host:port; in a password, write / as %2F, ? as %3F, # as %23 and @ as %40")
    if len(hosts) > 1 and kind == "":
        raise ValueError("for several hosts, use redis+sentinel:// or redis+cluster://")
    return hosts


def _tls(query: str, *, ssl: bool) -> dict[str, Any]:
    files = dict(parse_qsl(query, keep_blank_values=True))
    if (files and not ssl) or files.keys() - _TLS_FILES:
        raise ValueError(f"the query may contain only {', '.join(sorted(_TLS_FILES))}, and only with rediss://")
    return {"ssl": True, **files} if ssl else {}


async def cancellable(call: Awaitable[T]) -> T:
    """Await a call of redis-py without losing a cancellation.

    redis-py uses `asyncio.wait_for`, which may lose one up to Python 3.11.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    answer = await call
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


# redis-py's BlockingConnectionPool does the same for a single server, at the same cost of 50 us a call. Sentinel and
# Cluster have their own pools, which raise an error at the limit.
class _CallLimit:
    """Limit of CONNECTIONS concurrent calls; further calls wait for a free connection."""

    def __init__(self, wait_s: float) -> None:
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._wait_s = wait_s

    async def run(self, call: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(self._wait_s if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise RedisConnectionError("no connection has become free") from None
        try:
            return await cancellable(call(*args, **options))
        finally:
            self._free.release()


class _Single(Redis):
    calls: _CallLimit

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self.calls.run(super().execute_command, *args, **options)


class _Cluster(RedisCluster):
    calls: _CallLimit

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self.calls.run(super().execute_command, *args, **options)


@asynccontextmanager
async def connect(url: str, timeouts: RedisTimeouts = TIMEOUTS) -> AsyncIterator[Client]:
    """Open a client of the servers that the URL names; its answers are bytes.

    It connects at the first call, so that a start succeeds while the server is down. ValueError for a malformed URL.
    """
    address = Address.parse(url)
    options: dict[str, Any] = {
        "client_name": "scoreboard",
        "driver_info": None,  # saves a round trip when connecting
        "protocol": 2,  # 3 asks each server for notices that only Redis' own cloud sends
        "socket_connect_timeout": timeouts.connect_s,
        "socket_timeout": timeouts.call_s,
        "health_check_interval": HEALTH_S,
        "retry": Retry(NoBackoff(), 0),
    }
    opening: AbstractAsyncContextManager[_Single | _Cluster]
    if address.kind == "cluster":
        opening = _cluster(address, options)
    elif address.kind == "sentinel":
        opening = _behind_sentinel(address, options, timeouts)
    else:
        opening = cast("_Single", _Single.from_url(address.url, max_connections=CONNECTIONS + SPARE, **options))
    async with opening as client:
        client.calls = _CallLimit(timeouts.connection_s)
        yield client


@asynccontextmanager
async def _behind_sentinel(
    address: Address, options: dict[str, Any], timeouts: RedisTimeouts
) -> AsyncIterator[_Single]:
    options |= address.tls
    login = {name: value for name, value in parse_url(address.url).items() if name in {"username", "password", "db"}}
    sentinels = Sentinels(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]  # redis-py
    sentinels.timeout_s = timeouts.sentinel_s
    async with sentinels:
        master = {**options, **login, "max_connections": CONNECTIONS + SPARE}
        async with sentinels.master_for(address.service, redis_class=_Single, **master) as client:
            yield client


@asynccontextmanager
async def _cluster(address: Address, options: dict[str, Any]) -> AsyncIterator[_Cluster]:
    others = [ClusterNode(host, port) for host, port in address.hosts[1:]]
    client = _Cluster.from_url(address.url, startup_nodes=others, max_connections=CONNECTIONS + SPARE, **options)
    try:
        yield cast("_Cluster", client)
    finally:
        await client.aclose()
        # After a failure the client counts as not initialized, and `aclose` closes no node.
        await client.nodes_manager.aclose()
        await client.nodes_manager.aclose("startup_nodes")
