from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.service import Running, loop_factories, running
from tests.distributed.servers import Servers, started


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start PostgreSQL, Redis and RabbitMQ for this suite, which tests may kill."""
    with started(tmp_path_factory.mktemp("redis")) as servers:
        yield servers


@pytest.fixture
async def servers(machines: Servers) -> Servers:
    """Return the servers with a new database, an empty Redis and a new virtual host."""
    await machines.renew()
    return machines


@pytest.fixture
async def service(servers: Servers, tmp_path: Path) -> AsyncIterator[Running]:
    """Run all roles in this process, on PostgreSQL and Redis."""
    async with running(tmp_path / "data", **servers.settings()) as started:
        yield started
