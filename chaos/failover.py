"""Several servers of Redis or Valkey, of which a master is killed and another takes over."""

from harness.servers import redis


class Failover:
    """One master after another is killed, and comes back, empty, when another has taken over."""

    def __init__(self, servers: redis.Sentinels | redis.Cluster) -> None:
        self._servers = servers
        self._turn = 0
        self._killed: redis.Server | None = None

    def kill(self) -> None:
        self._turn += 1
        self._killed = self._master()
        self._killed.kill()

    def start(self) -> None:
        """Returns when another is the master and the killed one runs again. It has yet to follow."""
        assert self._killed is not None, "nothing was killed"
        redis.until(lambda: self._master() is not self._killed, "another takes over")
        self._killed.start()

    def whole(self) -> None:
        """Returns when all follow their masters, so that the next may be killed."""
        self._servers.wait_until_complete()

    def _master(self) -> redis.Server:
        """Of the slots whose turn it is; behind Sentinels there is one for all."""
        masters = self._servers.masters()
        return masters[self._turn % len(masters)]
