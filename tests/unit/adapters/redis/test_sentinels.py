from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from harness.servers.redis import SERVICE, TIMEOUTS
from scoreboard.adapters.redis.connection import FAILURES
from scoreboard.adapters.redis.sentinels import Sentinels

OLD, NEW = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


class FakeSentinel:
    """A Sentinel that has seen `epoch` failovers, and may know no master."""

    def __init__(self, epoch: int, address: tuple[str, int] | None) -> None:
        self._epoch = epoch
        self._address = address

    async def sentinel_master(self, service: str) -> dict[str, Any]:
        assert service == SERVICE
        return {"config-epoch": self._epoch, "ip": OLD[0], "port": OLD[1], "flags": "master"}

    async def sentinel_get_master_addr_by_name(self, service: str) -> tuple[bytes, int] | None:
        assert service == SERVICE
        return None if self._address is None else (self._address[0].encode(), self._address[1])


class Down(FakeSentinel):
    def __init__(self) -> None:
        super().__init__(9, OLD)

    async def sentinel_master(self, service: str) -> dict[str, Any]:
        raise RedisConnectionError(service)


async def discover(*sentinels: FakeSentinel) -> tuple[str, int]:
    client = Sentinels([])  # type: ignore[no-untyped-call]  # redis-py
    client.timeout_s = TIMEOUTS.sentinel_s
    client.sentinels = list[Any](sentinels)
    return await client.discover_master(SERVICE)


@pytest.mark.parametrize("place", range(3))
async def test_the_sentinel_with_the_newest_failover_is_believed(place: int) -> None:
    sentinels: list[FakeSentinel] = [FakeSentinel(3, OLD), FakeSentinel(3, OLD)]
    sentinels.insert(place, FakeSentinel(4, NEW))
    assert await discover(*sentinels) == NEW


async def test_a_sentinel_that_is_down_is_ignored() -> None:
    assert await discover(Down(), FakeSentinel(3, OLD), FakeSentinel(3, OLD)) == OLD


@pytest.mark.parametrize(
    "sentinels",
    [[], [Down()], [FakeSentinel(0, None)], [FakeSentinel(3, OLD), FakeSentinel(3, NEW)]],
    ids=["none", "down", "unknown", "disagreement"],
)
async def test_no_master_is_returned_if_it_may_be_the_wrong_one(sentinels: list[FakeSentinel]) -> None:
    with pytest.raises(FAILURES, match="no master is known"):
        await discover(*sentinels)
