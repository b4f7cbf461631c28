from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from harness.servers.redis import SERVICE
from scoreboard.adapters.redis.connection import FAILURES
from scoreboard.adapters.redis.sentinels import Sentinels

OLD, NEW = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


class Knows:
    """A Sentinel that knows of so many failovers, and of no master where there is no address."""

    def __init__(self, epoch: int, address: tuple[str, int] | None) -> None:
        self._epoch = epoch
        self._address = address

    async def sentinel_master(self, service: str) -> dict[str, Any]:
        assert service == SERVICE
        return {"config-epoch": self._epoch, "ip": OLD[0], "port": OLD[1], "flags": "master"}

    async def sentinel_get_master_addr_by_name(self, service: str) -> tuple[bytes, int] | None:
        assert service == SERVICE
        return None if self._address is None else (self._address[0].encode(), self._address[1])


class Away(Knows):
    def __init__(self) -> None:
        super().__init__(9, OLD)

    async def sentinel_master(self, service: str) -> dict[str, Any]:
        raise RedisConnectionError(service)


async def master(*sentinels: Knows) -> tuple[str, int]:
    asked = Sentinels([])  # type: ignore[no-untyped-call]
    asked.sentinels = list[Any](sentinels)
    return await asked.discover_master(SERVICE)


@pytest.mark.parametrize("place", range(3))
async def test_the_one_that_knows_of_the_newest_failover_is_believed(place: int) -> None:
    """Though most have not heard of it, and whoever is asked first."""
    told: list[Knows] = [Knows(3, OLD), Knows(3, OLD)]
    told.insert(place, Knows(4, NEW))
    assert await master(*told) == NEW


async def test_one_that_is_away_keeps_nobody_from_the_master() -> None:
    assert await master(Away(), Knows(3, OLD), Knows(3, OLD)) == OLD


@pytest.mark.parametrize(
    "told", [[], [Away()], [Knows(0, None)], [Knows(3, OLD), Knows(3, NEW)]], ids=["none", "away", "unknown", "at odds"]
)
async def test_no_master_is_named_that_may_be_the_wrong_one(told: list[Knows]) -> None:
    with pytest.raises(FAILURES, match="no master is known"):
        await master(*told)
