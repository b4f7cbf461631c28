from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from harness.service import Running, loop_factories, running
from harness.waiting import PATIENCE
from scoreboard.bootstrap.timings import Timings
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.timeouts import HttpTimeouts


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture
def kind() -> type[HttpConnection]:
    """Return the kind of connections of `service`, which modules override."""
    return FastConnection


@pytest.fixture
def timeouts() -> HttpTimeouts:
    """Return the time-outs of `service`, which tests override by parametrization."""
    return HttpTimeouts()


@pytest.fixture
async def service(tmp_path: Path, kind: type[HttpConnection], timeouts: HttpTimeouts) -> AsyncIterator[Running]:
    timings = Timings(patience=PATIENCE, http=timeouts)
    async with running(tmp_path / "data", kind=kind, timings=timings) as started:
        yield started
