"""Who is the master, by the Sentinel that knows of the newest failover."""

import asyncio
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.exceptions import RedisError
from redis.utils import str_if_bytes

ASK_S = 0.5  # a Sentinel


class _Told(NamedTuple):
    """`epoch` grows with each failover."""

    epoch: int
    address: tuple[str, int]


class Sentinels(Sentinel):
    """Asks all of them. redis-py takes the word of the first that answers, who may not have heard of a failover for
    some seconds: a master of before that is back by then is empty, takes writes, and loses them when it is told."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Raises MasterNotFoundError when none answers, or those that know most say different things."""
        asked = (self._told(sentinel, service_name) for sentinel in self.sentinels)
        told = [one for one in await asyncio.gather(*asked) if one is not None]
        newest = max((one.epoch for one in told), default=0)
        masters = {one.address for one in told if one.epoch == newest}
        if len(masters) != 1:
            raise MasterNotFoundError(f"{len(told)} of {len(self.sentinels)} Sentinels answer; no master is known")
        return masters.pop()

    @staticmethod
    async def _told(sentinel: Redis, service: str) -> _Told | None:
        try:
            async with asyncio.timeout(ASK_S):
                state: Any = await sentinel.sentinel_master(service)
                # Asked second: it may be newer than the epoch, never older. While a failover goes on it alone is right.
                address: Any = await sentinel.sentinel_get_master_addr_by_name(service)
        except (RedisError, TimeoutError):
            return None
        return _Told(state["config-epoch"], (str_if_bytes(address[0]), address[1])) if address else None
