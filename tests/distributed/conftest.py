from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Again, Database
from tests.distributed.servers import Servers, started
from tests.running import BOUND_S, Running, loop_factories, running


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture(autouse=True)
def long_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a test holds open, or has wait for another, is not given up however long that takes."""
    monkeypatch.setattr(Database.transaction, "__defaults__", (Again, BOUND_S))
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        monkeypatch.setitem(database._SETTINGS, name, f"{BOUND_S:.0f}s")


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """PostgreSQL, Redis and RabbitMQ of this suite's own, which may be killed: each test finds them running."""
    with started(tmp_path_factory.mktemp("redis")) as servers:
        yield servers


@pytest.fixture
async def servers(machines: Servers) -> Servers:
    """A new database, an empty Redis, and, once it is asked for, a new virtual host in RabbitMQ."""
    await machines.renew()
    return machines


@pytest.fixture
async def service(servers: Servers, tmp_path: Path) -> AsyncIterator[Running]:
    """All roles in this process, on PostgreSQL and Redis."""
    async with running(tmp_path / "data", **servers.settings()) as started:
        yield started
