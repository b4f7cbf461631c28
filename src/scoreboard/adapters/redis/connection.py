"""Connections to Redis or Valkey: a single server, the master that Sentinel names, or a Cluster, as the URL says.

Nothing is tried again in here (redis-py 8.1 does so ten times, and cannot know which calls may be repeated): a call
that fails is known to have failed, or to have an unknown outcome, within seconds; its caller decides. The next call
connects again, asks the Sentinels for the master, or the Cluster for its slots.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from scoreboard.adapters.redis.sentinels import Sentinels

T = TypeVar("T")

Client: TypeAlias = Redis | RedisCluster

FAILURES = (RedisError, RedisClusterException)  # all that a call may raise: the second is not one of the first

CONNECT_S = 0.5
CALL_S = 2.0
WAIT_S = 1.0  # for a connection that is free
HEALTH_S = 15.0  # a connection unused for longer is tried before it is used
CONNECTIONS = 16  # to each server: a call takes well under a millisecond of it
SPARE = 4  # and for subscriptions, which do not wait in turn

_PORTS = {"sentinel": 26_379}
_PORT = 6_379
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_TLS_FILES = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}
_EXAMPLE = "one looks like redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. `kind` is '', 'unix', 'sentinel' or 'cluster'; `options` are redis-py's, secrets among them."""

    kind: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    tls: dict[str, Any]
    options: dict[str, Any]

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ValueError, in one line that never has a part of the URL in which a password may be."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError(f"not a URL; {_EXAMPLE}") from None
        scheme, _, kind = parts.scheme.partition("+")
        if parts.scheme == "unix":
            scheme, kind = "redis", "unix"
        if scheme not in {"redis", "rediss"} or kind not in {"", "unix", "sentinel", "cluster"}:
            raise ValueError(f"not a URL of Redis; {_EXAMPLE}, or begins with rediss, redis+sentinel or redis+cluster")
        service, path = _service(kind, parts.path)
        tls = _tls(parts.query, ssl=scheme == "rediss")
        hosts = () if kind == "unix" else _hosts(kind, parts)
        return cls(kind, hosts, service, tls, _credentials(parts) | _database(kind, path))


def _service(kind: str, path: str) -> tuple[str, str]:
    """The service that Sentinels watch, and what follows it."""
    if kind != "sentinel":
        return "", path
    service, _, rest = path[1:].partition("/")
    if not service:
        raise ValueError("no service is named; one looks like redis+sentinel://host:26379,host:26379/service")
    return unquote(service), f"/{rest}"


def _hosts(kind: str, parts: SplitResult) -> tuple[tuple[str, int], ...]:
    found = [_HOST.fullmatch(host) for host in parts.netloc.rpartition("@")[2].split(",")]
    hosts = tuple((host[1].strip("[]"), int(host[2] or _PORTS.get(kind, _PORT))) for host in found if host)
    if len(hosts) != len(found) or any(not 0 < port < 65_536 for _, port in hosts):
        raise ValueError(
            "what stands for the host is not host:port; in a password '/' is written %2F, '?' %3F, '#' %23 and '@' %40"
        )
    if len(hosts) > 1 and kind == "":
        raise ValueError("several hosts are for redis+sentinel:// and redis+cluster://")
    return hosts


def _credentials(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return {"username": unquote(user) or None, "password": unquote(password) or None}


def _database(kind: str, path: str) -> dict[str, Any]:
    if kind == "unix":
        return {"path": unquote(path)}
    number = path.strip("/")
    if kind == "cluster" and number:
        raise ValueError("a Cluster has one database; leave out what follows the hosts")
    if number and not re.fullmatch("[0-9]{1,5}", number):
        raise ValueError(f"the database is not a number; {_EXAMPLE}")
    return {} if kind == "cluster" else {"db": int(number or 0)}


def _tls(query: str, *, ssl: bool) -> dict[str, Any]:
    files = dict(parse_qsl(query, keep_blank_values=True))
    if (files and not ssl) or files.keys() - _TLS_FILES:
        raise ValueError(f"after '?' may stand only {', '.join(sorted(_TLS_FILES))}, in a URL that begins with rediss")
    return {"ssl": True, **files} if ssl else {}


async def cancellable(call: Awaitable[T]) -> T:
    """What redis-py answers. Up to Python 3.11 its `asyncio.wait_for` may lose a cancellation; it is not lost here."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    answer = await call
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


class _CallLimit:
    """At most CONNECTIONS calls at once; the others wait for their turn, for a while."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def run(self, call: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(WAIT_S if self._free.locked() else None):
                await self._free.acquire()
        except TimeoutError:
            raise RedisConnectionError("no connection has become free") from None
        try:
            return await cancellable(call(*args, **options))
        finally:
            self._free.release()


class _Single(Redis):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._calls = _CallLimit()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self._calls.run(super().execute_command, *args, **options)


class _Cluster(RedisCluster):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._calls = _CallLimit()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return await self._calls.run(super().execute_command, *args, **options)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    """A client of the servers that the URL names, closed in the end; answers come as bytes.

    It connects when it is first used: a server that is away keeps nothing from starting. ValueError for a wrong URL.
    """
    address = Address.of(url)
    opened = {"sentinel": _behind_sentinel, "cluster": _cluster}.get(address.kind, _single)
    async with opened(address) as client:
        yield client


def _options() -> dict[str, Any]:
    return {
        "client_name": "scoreboard",
        "driver_info": None,  # saves a round trip when connecting
        "protocol": 2,  # 3 asks each server for notices that only Redis' own cloud sends
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": CALL_S,
        "health_check_interval": HEALTH_S,
    }


def _once() -> Retry:
    return Retry(NoBackoff(), 0)


@asynccontextmanager
async def _single(address: Address) -> AsyncIterator[Client]:
    options = {**_options(), **address.options, **address.tls, "retry": _once()}
    kind: type[Connection | UnixDomainSocketConnection] = SSLConnection if options.pop("ssl", False) else Connection
    if address.kind == "unix":
        kind = UnixDomainSocketConnection
    else:
        ((options["host"], options["port"]),) = address.hosts
    pool = ConnectionPool(kind, CONNECTIONS + SPARE, **options)
    async with _Single.from_pool(pool) as client:
        yield client


@asynccontextmanager
async def _behind_sentinel(address: Address) -> AsyncIterator[Client]:
    options = {**_options(), **address.tls, "retry": _once()}
    async with Sentinels(address.hosts, sentinel_kwargs=options) as sentinels:  # type: ignore[no-untyped-call]
        master = {**options, **address.options, "max_connections": CONNECTIONS + SPARE}
        async with sentinels.master_for(address.service, redis_class=_Single, **master) as client:
            yield client


@asynccontextmanager
async def _cluster(address: Address) -> AsyncIterator[Client]:
    nodes = [ClusterNode(host, port) for host, port in address.hosts]
    options = {**_options(), **address.options, **address.tls, "retry": _once()}
    client = _Cluster(startup_nodes=nodes, max_connections=CONNECTIONS + SPARE, **options)
    try:
        yield client
    finally:
        await client.aclose()
        # After a failure it counts as not begun, and closes nothing by itself.
        await client.nodes_manager.aclose()
        await client.nodes_manager.aclose("startup_nodes")
