"""The three servers that processes share, which tests may kill and start."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from harness.missing import missing
from harness.servers import postgres, rabbitmq, redis
from harness.servers.shared import kept_working

SIGNING_KEY = "the key that all processes of these tests share"

_numbers = count()


class Killable(Protocol):
    def kill(self) -> None: ...
    def start(self) -> None: ...


@asynccontextmanager
async def down(*servers: Killable) -> AsyncIterator[None]:
    """Kill servers, and start them at the end. This process continues to run."""
    for server in servers:
        await asyncio.to_thread(server.kill)
    try:
        yield
    finally:
        for server in servers:
            await asyncio.to_thread(server.start)


@dataclass
class Servers:
    """The shared servers, and the URL of the test's own database."""

    postgres: postgres.Server
    redis: redis.Server
    folder: Path
    stack: ExitStack
    database: str = ""
    _broker: rabbitmq.Server | None = None
    _vhosts: set[str] = field(default_factory=set)
    _vhost: str = ""

    async def renew(self) -> None:
        """Remove the data of the previous test."""
        self.database = await postgres.fresh_database(self.postgres.url)
        self.redis.ask("FLUSHALL")
        self._vhost = f"test{next(_numbers)}"

    @property
    def broker(self) -> rabbitmq.Server:
        """RabbitMQ, started at its first use."""
        if self._broker is None:
            self._broker = rabbitmq.Server(self.folder)
            self.stack.callback(self._broker.stop)
            self._broker.start()
            self.stack.enter_context(kept_working(self._broker))
        return self._broker

    @property
    def queue_url(self) -> str:
        """The URL of the virtual host of the test."""
        if self._vhost not in self._vhosts:
            self.broker.control("add_vhost", self._vhost)
            self.broker.control("set_permissions", "-p", self._vhost, "guest", ".*", ".*", ".*")
            self._vhosts.add(self._vhost)
        return self.broker.url + self._vhost

    def settings(self, *, queue: bool = False, **given: Any) -> dict[str, Any]:
        """Return the settings of a service on these servers."""
        return {
            "database_url": self.database,
            "ranking_url": self.redis.url,
            "signing_key": SIGNING_KEY,
            **({"queue_url": self.queue_url} if queue else {}),
            **given,
        }

    def environment(self, *, queue: bool = False) -> dict[str, str]:
        """Return the same settings as environment variables."""
        return {f"SCOREBOARD_{name.upper()}": str(value) for name, value in self.settings(queue=queue).items()}


@contextmanager
def started(folder: Path) -> Iterator[Servers]:
    """Start the servers, and stop them at the end."""
    if not rabbitmq.PROGRAM.exists():
        missing("install rabbitmq-server")
    with ExitStack() as stack:
        database = stack.enter_context(kept_working(stack.enter_context(postgres.postgres())))
        ranking = stack.enter_context(kept_working(stack.enter_context(redis.started(redis.Server(folder)))))
        broker_folder = folder / "broker"
        broker_folder.mkdir()
        yield Servers(database, ranking, broker_folder, stack)
