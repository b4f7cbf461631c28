from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from harness.servers.redis import TIMEOUTS, Server, emptied, started
from scoreboard.adapters.redis.connection import Client, connect


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """Return a client of an empty database."""
    async with connect(emptied(redis_url), TIMEOUTS) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a server that the test may kill and restart."""
    with started(Server(tmp_path)) as running:
        yield running
