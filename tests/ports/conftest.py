from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from scoreboard.domain.board import App, Board
from tests.ports.backends import (
    ACCESS,
    LIMITS,
    RANKINGS,
    STORES,
    AccessBackend,
    LimitsBackend,
    RankingBackend,
    Store,
    Tenancy,
)


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
async def tenancy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tenancy]:
    """Ledger and directory."""
    make: Callable[[], Store] = request.param
    store = make()
    await store.open(tmp_path)
    yield Tenancy(store, tmp_path)
    await store.close()


@pytest.fixture(params=list(RANKINGS.values()), ids=list(RANKINGS))
async def ranks(request: pytest.FixtureRequest) -> RankingBackend:
    make: Callable[[], RankingBackend] = request.param
    return make()


@pytest.fixture(params=list(LIMITS.values()), ids=list(LIMITS))
def limited(request: pytest.FixtureRequest) -> LimitsBackend:
    make: Callable[[], LimitsBackend] = request.param
    return make()


@pytest.fixture(params=list(ACCESS.values()), ids=list(ACCESS))
def accesses(request: pytest.FixtureRequest) -> AccessBackend:
    make: Callable[[], AccessBackend] = request.param
    return make()


@pytest.fixture
async def app(tenancy: Tenancy) -> App:
    return await tenancy.app()


@pytest.fixture
async def main(tenancy: Tenancy, app: App) -> Board:
    return await tenancy.board(app)
