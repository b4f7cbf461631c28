from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.servers import rabbitmq as rabbitmq_server
from harness.servers import redis as redis_server
from harness.servers import shared
from harness.servers.rabbitmq import Broker
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from tests.making import ManualClock

FAILED_BEFORE = pytest.StashKey[int]()

settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    shared.uncaptured = config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Replace shared servers that a failed test broke, so that later tests pass."""
    failed = item.session.testsfailed
    if failed > item.session.stash.get(FAILED_BEFORE, 0):
        item.session.stash[FAILED_BEFORE] = failed
        shared.replace_broken()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with the newest schema."""
    async with database.open_database(tmp_path / "scoreboard.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that tests share. Each test begins with `emptied(redis_url)`."""
    with redis_server.shared(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """A RabbitMQ that tests share. Each test uses its own queues."""
    with rabbitmq_server.shared() as server:
        yield server
