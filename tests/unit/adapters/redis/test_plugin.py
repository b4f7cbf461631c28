"""A stop is not failed by Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from scoreboard.adapters.redis import plugin


async def test_a_ranking_whose_connections_cannot_be_closed_is_left_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @asynccontextmanager
    async def silent(_: str) -> AsyncIterator[str]:
        yield "the client"
        raise RedisTimeoutError("Timed out closing connection after 0.5")

    monkeypatch.setattr(plugin, "connect", silent)
    async with plugin.closing_quietly("redis://h") as client:
        assert str(client) == "the client"
