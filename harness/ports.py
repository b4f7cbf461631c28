"""Free TCP ports."""

import contextlib
import os
import random
import socket
from pathlib import Path

_ports_given: set[int] = set()


def free_port() -> int:
    """Return a port that no other test of this run gets.

    It lies outside the range of ephemeral client ports. A client can neither take it while its server is down, nor
    connect to itself through it.
    """
    clients = Path("/proc/sys/net/ipv4/ip_local_port_range")
    above = int(clients.read_text().split()[0]) if clients.exists() else 32_768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(10_000 + worker, above, workers)
        if port not in _ports_given:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _ports_given.add(port)
                return port
