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
