"""The plugin's client when the service stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from harness.servers.redis import TIMEOUTS
from scoreboard.adapters.redis import plugin


async def test_connections_that_cannot_be_closed_do_not_fail_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @asynccontextmanager
    async def silent(*_: object) -> AsyncIterator[str]:
        yield "the client"
        raise RedisTimeoutError("Timed out closing connection after 0.5")

    monkeypatch.setattr(plugin, "connect", silent)
    async with plugin.closing_quietly("redis://h", TIMEOUTS) as client:
        assert str(client) == "the client"
