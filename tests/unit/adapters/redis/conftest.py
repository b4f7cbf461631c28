from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from harness.servers.redis import Server, emptied, started
from scoreboard.adapters.redis.connection import Client, connect


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """A client of an empty database."""
    async with connect(emptied(redis_url)) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to be killed and started again."""
    with started(Server(tmp_path)) as running:
        yield running
