"""Obstacles to the creation of the queues."""

import shlex
from collections.abc import Iterator

import pytest

from harness.missing import missing
from harness.servers.rabbitmq import PROGRAM, TIMEOUTS, Server, started
from scoreboard.adapters.rabbitmq.diagnostics import PERMISSIONS
from scoreboard.adapters.rabbitmq.inspection import inspect
from scoreboard.adapters.rabbitmq.topology import NAME, Topology

pytestmark = pytest.mark.slow


@pytest.fixture
def bare() -> Iterator[Server]:
    """A broker whose feature flags are disabled."""
    if not PROGRAM.exists():
        missing("install rabbitmq-server")
    with started(RABBITMQ_FEATURE_FLAGS="") as server:
        yield server


async def test_missing_quorum_queues_and_permissions_are_found(bare: Server) -> None:
    topology = Topology(NAME)
    assert (await inspect(bare.url, topology, TIMEOUTS)).missing == "quorum queues"
    bare.control("enable_feature_flag", "quorum_queue")
    assert (await inspect(bare.url, topology, TIMEOUTS)).missing == ""
    bare.control("set_permissions", "guest", "^other", "^(scoreboard|amq.default)", ".*")
    assert (await inspect(bare.url, topology, TIMEOUTS)).missing == "permissions"
    bare.control("set_permissions", "guest", *shlex.split(PERMISSIONS))
    found = await inspect(bare.url, topology, TIMEOUTS)
    assert (found.missing, found.declared) == ("", False)
    assert NAME not in bare.control("list_queues", "name")
