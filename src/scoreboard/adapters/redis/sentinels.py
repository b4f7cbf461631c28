"""The master, as named by the Sentinel that knows of the newest failover."""

import asyncio
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.exceptions import RedisError
from redis.utils import str_if_bytes

from scoreboard.adapters.redis.timeouts import TIMEOUTS


class _Master(NamedTuple):
    """A Sentinel's view of the master; `epoch` grows with each failover."""

    epoch: int
    address: tuple[str, int]


# redis-py believes the first Sentinel that answers. That one may not know of a failover for some seconds. A restarted
# old master is empty then and accepts writes, which are lost as soon as it becomes a replica.
class Sentinels(Sentinel):
    """Sentinels that are all asked for the master."""

    timeout_s: float = TIMEOUTS.sentinel_s  # for the answer of each

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the address of the master.

        MasterNotFoundError when no Sentinel answers, or when those of the newest epoch disagree.
        """
        views = await asyncio.gather(*(self._ask(sentinel, service_name) for sentinel in self.sentinels))
        known = [view for view in views if view is not None]
        newest = max((view.epoch for view in known), default=0)
        masters = {view.address for view in known if view.epoch == newest}
        if len(masters) != 1:
            raise MasterNotFoundError(f"{len(known)} of {len(self.sentinels)} Sentinels answer; no master is known")
        return masters.pop()

    async def _ask(self, sentinel: Redis, service: str) -> _Master | None:
        try:
            async with asyncio.timeout(self.timeout_s):
                state: Any = await sentinel.sentinel_master(service)
                # The address may be newer than the epoch, but never older. During a failover only it is right.
                address: Any = await sentinel.sentinel_get_master_addr_by_name(service)
        except (RedisError, TimeoutError):
            return None
        return _Master(state["config-epoch"], (str_if_bytes(address[0]), address[1])) if address else None
