"""PostgreSQL, Redis, RabbitMQ and every role, as processes to kill and restart."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, Protocol

from chaos.failover import Failover
from harness.ports import free_port
from harness.process import Process
from harness.servers import rabbitmq, redis
from harness.servers.postgres import postgres
from harness.service import HOUR_S, settings
from scoreboard.application.ports.authentication import Role
from scoreboard.bootstrap import tokens
from scoreboard.bootstrap.settings import Settings

Victim = Literal["api", "worker", "live", "jobs", "postgres", "redis", "rabbitmq", "sentinel", "cluster"]
VICTIMS: tuple[Victim, ...] = ("api", "worker", "live", "jobs", "postgres", "redis", "rabbitmq", "sentinel", "cluster")
Ranking = Literal["redis", "sentinel", "cluster"]
ROLES = {"api": 2, "live": 1, "worker": 2, "jobs": 2}
REPLICAS = 2  # of the master behind Sentinels
DAY_S = 24 * HOUR_S


class Killable(Protocol):
    """A process or server. `start` restores its address and its data on disk."""

    def kill(self) -> None: ...
    def start(self) -> None: ...


class Member:
    """One process of a role, which restarts on the same port."""

    def __init__(self, folder: Path, role: str, number: int, environment: dict[str, str]) -> None:
        self._data = folder / f"{role}-{number}"
        self._role = role
        self._environment = environment
        self._port = free_port()
        self._process = self._started()

    @property
    def url(self) -> str:
        return self._process.url

    async def ready(self) -> None:
        await self._process.ready()

    def start(self) -> None:
        self._process = self._started()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _started(self) -> Process:
        return Process(self._data, self._port, self._role, **self._environment)


def ranking_of(victim: Victim) -> Ranking:
    """Return the kind of ranking that a victim needs."""
    match victim:
        case "sentinel" | "cluster":
            return victim
        case _:
            return "redis"


class Cluster:
    """All servers and roles."""

    def __init__(self, folder: Path, stack: ExitStack, ranking: Ranking, program: Path) -> None:
        self._folder = folder
        self.rabbitmq = stack.enter_context(rabbitmq.started())
        database = stack.enter_context(postgres())
        self._servers: dict[str, Killable] = {"postgres": database, "rabbitmq": self.rabbitmq}
        self._failover: Failover | None = None
        self._environment = {
            "SCOREBOARD_DATABASE_URL": database.url,
            "SCOREBOARD_RANKING_URL": self._ranking(stack, ranking, program),
            "SCOREBOARD_SIGNING_KEY": secrets.token_hex(32),
        }
        self._migrate()
        queued = {**self._environment, "SCOREBOARD_QUEUE_URL": self.rabbitmq.url}
        self._members: dict[str, list[Member]] = {}
        for role, count in ROLES.items():
            members = [Member(folder, role, number, queued) for number in range(count)]
            self._members[role] = members
            for member in members:
                stack.callback(member.stop)

    @property
    def apis(self) -> list[str]:
        return [member.url for member in self._members["api"]]

    @property
    def live(self) -> str:
        return self._members["live"][0].url

    @property
    def settings(self) -> Settings:
        """Settings to inspect the database and the ranking outside of the roles."""
        given = {name.removeprefix("SCOREBOARD_").lower(): value for name, value in self._environment.items()}
        return settings(self._folder / "look", **given)

    def token(self, role: Role, app: str) -> str:
        return tokens.issue(self.settings, role=role, app=app, subject="chaos", ttl_s=DAY_S)

    async def ready(self) -> None:
        """Wait until every role accepts requests."""
        await asyncio.gather(*(member.ready() for members in self._members.values() for member in members))

    def victim(self, name: Victim, turn: int) -> Killable:
        """Return the victim of a round. Processes of a role take turns."""
        members: Sequence[Member] = self._members.get(name, ())
        return members[turn % len(members)] if members else self._servers[name]

    def wait_for_replicas(self) -> None:
        """Wait until a restarted server follows its master, so that the next can fail."""
        if self._failover is not None:
            self._failover.wait_for_replicas()

    def left_in_queues(self) -> int:
        """Count the messages in all queues, in flight and dead letters included."""
        return sum(int(line) for line in self.rabbitmq.control("list_queues", "messages").split() if line.isdigit())

    def logs(self) -> list[Path]:
        """Return the log files of all processes of roles."""
        return [log for role in ROLES for log in sorted(self._folder.glob(f"{role}-*.log"))]

    def _ranking(self, stack: ExitStack, kind: Ranking, program: Path) -> str:
        """Start the ranking and return its URL."""
        if kind == "redis":
            server = stack.enter_context(redis.started(redis.Server(self._folder, server=program)))
            self._servers[kind] = server
            return server.url
        several: redis.Sentinels | redis.Cluster = (
            redis.Cluster(self._folder, program)
            if kind == "cluster"
            else redis.Sentinels(self._folder, program, replicas=REPLICAS)
        )
        servers = stack.enter_context(redis.started(several))
        self._failover = self._servers[kind] = Failover(servers)
        return servers.url

    def _migrate(self) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")}
        command: list[str | Path] = [Path(sys.executable).with_name("scoreboard"), "migrate"]
        subprocess.run(
            [*command, "--data", self._folder / "look"],
            check=True,
            env={**plain, **self._environment},
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def cluster(folder: Path, ranking: Ranking, program: Path) -> Iterator[Cluster]:
    """Start all servers and roles; stop them at the end. `program` is Redis or Valkey."""
    with ExitStack() as stack:
        yield Cluster(folder, stack, ranking, program)
