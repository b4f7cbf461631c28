from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.servers.redis import emptied
from harness.service import loop_factories
from tests.making import SECOND, ManualClock
from tests.migration.stores import WRITTEN_AT, Store, load_json, micros, restore


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock one second after the last write of the old version."""
    return ManualClock(micros(WRITTEN_AT) + SECOND)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
async def old(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Store:
    """Return a store of the old version; PostgreSQL is migrated, SQLite at start."""
    if request.param == "sqlite":
        return await restore("sqlite", tmp_path, clock)
    redis_url = request.getfixturevalue("redis_url")
    store = await restore("postgres", tmp_path, clock, ranking_url=emptied(redis_url))
    await store.migrate()
    return store


@pytest.fixture(scope="session")
def expected() -> Any:
    """Return the responses of the old version, equal for every store."""
    return load_json("expected")
