"""The three servers that processes share, killed and started again at will."""

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

SIGNING_KEY = "a key that every process of these tests has"

_numbers = count()


class Killable(Protocol):
    def kill(self) -> None: ...
    def start(self) -> None: ...


@asynccontextmanager
async def away(*servers: Killable) -> AsyncIterator[None]:
    """They are killed, and in the end started again; whatever runs in this process goes on meanwhile."""
    for server in servers:
        await asyncio.to_thread(server.kill)
    try:
        yield
    finally:
        for server in servers:
            await asyncio.to_thread(server.start)


@dataclass
class Servers:
    """`database` is the URL of the test's own database."""

    postgres: postgres.Server
    redis: redis.Server
    folder: Path
    stack: ExitStack
    database: str = ""
    _broker: rabbitmq.Server | None = None
    _vhosts: set[str] = field(default_factory=set)
    _vhost: str = ""

    async def renew(self) -> None:
        """Everything runs, and has nothing of the test before."""
        self.database = await postgres.fresh_database(self.postgres.url)
        self.redis.ask("FLUSHALL")
        self._vhost = f"test{next(_numbers)}"

    @property
    def broker(self) -> rabbitmq.Server:
        """RabbitMQ, started when a test first wants it."""
        if self._broker is None:
            self._broker = rabbitmq.Server(self.folder)
            self.stack.callback(self._broker.stop)
            self._broker.start()
            self.stack.enter_context(kept_working(self._broker))
        return self._broker

    @property
    def queue_url(self) -> str:
        """A virtual host of the test's own."""
        if self._vhost not in self._vhosts:
            self.broker.control("add_vhost", self._vhost)
            self.broker.control("set_permissions", "-p", self._vhost, "guest", ".*", ".*", ".*")
            self._vhosts.add(self._vhost)
        return self.broker.url + self._vhost

    def settings(self, *, queue: bool = False, **given: Any) -> dict[str, Any]:
        """The settings that name them."""
        return {
            "database_url": self.database,
            "ranking_url": self.redis.url,
            "signing_key": SIGNING_KEY,
            **({"queue_url": self.queue_url} if queue else {}),
            **given,
        }

    def environment(self, *, queue: bool = False) -> dict[str, str]:
        """The same, for a process of its own."""
        return {f"SCOREBOARD_{name.upper()}": str(value) for name, value in self.settings(queue=queue).items()}


@contextmanager
def started(folder: Path) -> Iterator[Servers]:
    """Servers that do not outlive the suite."""
    if not rabbitmq.PROGRAM.exists():
        missing("install rabbitmq-server")
    with ExitStack() as stack:
        database = stack.enter_context(kept_working(stack.enter_context(postgres.postgres())))
        ranking = stack.enter_context(kept_working(stack.enter_context(redis.started(redis.Server(folder)))))
        broker_folder = folder / "broker"
        broker_folder.mkdir()
        yield Servers(database, ranking, broker_folder, stack)
