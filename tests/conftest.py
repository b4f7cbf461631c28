from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from tests.making import ManualClock
from tests.servers import rabbitmq as rabbitmq_server
from tests.servers import redis as redis_server
from tests.servers.rabbitmq import Broker


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, at the newest version of its schema."""
    async with database.opened(tmp_path / "scoreboard.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one Redis for all tests that leave it alone; each begins with `emptied(redis_url)`."""
    with redis_server.shared(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """One RabbitMQ for all tests; each has queues of its own."""
    with rabbitmq_server.shared() as server:
        yield server
