from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.servers.redis import emptied
from harness.service import loop_factories
from tests.making import SECOND, ManualClock
from tests.migration.stores import MADE_AT, Store, micros, recorded, restored


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the service, a second after the old version wrote last."""
    return ManualClock(micros(MADE_AT) + SECOND)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
async def old(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Store:
    """A store as the old version left it. SQLite migrates when it is opened; PostgreSQL is migrated here."""
    if request.param == "sqlite":
        return await restored("sqlite", tmp_path, clock)
    redis_url = request.getfixturevalue("redis_url")
    store = await restored("postgres", tmp_path, clock, ranking_url=emptied(redis_url))
    await store.migrate()
    return store


@pytest.fixture(scope="session")
def expected() -> Any:
    """What the old version answered from every store."""
    return recorded("expected")
