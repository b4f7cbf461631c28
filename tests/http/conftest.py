from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from harness.service import Running, loop_factories, running
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.fast_path import FastConnection


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return loop_factories()


@pytest.fixture
def kind() -> type[HttpConnection]:
    """The kind of connections of `service`; a module that tests both overrides it."""
    return FastConnection


@pytest.fixture
async def service(tmp_path: Path, kind: type[HttpConnection]) -> AsyncIterator[Running]:
    async with running(tmp_path / "data", kind=kind) as started:
        yield started
