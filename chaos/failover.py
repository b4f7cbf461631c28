"""Failover of Redis or Valkey: a master is killed and a replica takes over."""

from harness.servers import redis


class Failover:
    """A group of servers whose masters are killed in turn, and restart empty."""

    def __init__(self, servers: redis.Sentinels | redis.Cluster) -> None:
        self._servers = servers
        self._turn = 0
        self._killed: redis.Server | None = None

    def kill(self) -> None:
        self._turn += 1
        self._killed = self._master()
        self._killed.kill()

    def start(self) -> None:
        """Wait for another master, then restart the killed one as its replica."""
        assert self._killed is not None, "nothing was killed"
        redis.until(lambda: self._master() is not self._killed, "another takes over")
        self._killed.start()

    def wait_for_replicas(self) -> None:
        """Wait until all replicas follow their masters, so that the next may be killed."""
        self._servers.wait_until_complete()

    def _master(self) -> redis.Server:
        """Return the master whose turn it is. Behind Sentinels there is only one."""
        masters = self._servers.masters()
        return masters[self._turn % len(masters)]
