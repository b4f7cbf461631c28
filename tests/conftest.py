from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from harness.servers import rabbitmq as rabbitmq_server
from harness.servers import redis as redis_server
from harness.servers import shared
from harness.servers.rabbitmq import Broker
from harness.waiting import BOUND_S
from scoreboard.adapters.memory import ranking as memory_ranking
from scoreboard.adapters.redis import builder as redis_builder
from scoreboard.adapters.redis import connection as redis_connection
from scoreboard.adapters.redis import feed as redis_feed
from scoreboard.adapters.redis import rate_limiter as redis_rate_limiter
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from tests.making import ManualClock

FAILED_BEFORE = pytest.StashKey[int]()

settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

PATIENCE: Mapping[ModuleType, tuple[str, ...]] = {
    memory_ranking: ("GRACE_S",),
    redis_connection: ("CONNECT_S", "CALL_S", "WAIT_S"),
    redis_feed: ("CALL_S",),
    redis_rate_limiter: ("ANSWER_S",),
    redis_builder: ("GRACE_S", "EMPTY_FOR_S"),
}


def pytest_configure(config: pytest.Config) -> None:
    shared.uncaptured = config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look at the shared servers once after each failed test: what broke under it would fail the tests after it."""
    failed = item.session.testsfailed
    if failed > item.session.stash.get(FAILED_BEFORE, 0):
        item.session.stash[FAILED_BEFORE] = failed
        shared.replace_broken()


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """However busy the machine is, what is slow is not taken for what is away, nor given up: within this process
    nothing is, unless its test sets a bound."""
    with pytest.MonkeyPatch.context() as patched:
        for module, bounds in PATIENCE.items():
            for bound in bounds:
                patched.setattr(module, bound, BOUND_S)
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, at the newest version of its schema."""
    async with database.open_database(tmp_path / "scoreboard.db") as opened:
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
