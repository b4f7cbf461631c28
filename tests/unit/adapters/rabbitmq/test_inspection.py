"""What a broker lacks for our queues to be made."""

import shlex
from collections.abc import Iterator

import pytest

from harness.missing import missing
from harness.servers.rabbitmq import PROGRAM, Server, started
from scoreboard.adapters.rabbitmq.diagnostics import RIGHTS
from scoreboard.adapters.rabbitmq.inspection import inspect
from scoreboard.adapters.rabbitmq.topology import NAME, Topology

pytestmark = pytest.mark.slow


@pytest.fixture
def bare() -> Iterator[Server]:
    """A broker whose features were never enabled."""
    if not PROGRAM.exists():
        missing("install rabbitmq-server")
    with started(RABBITMQ_FEATURE_FLAGS="") as server:
        yield server


async def test_quorum_queues_and_rights_that_are_missing_are_told(bare: Server) -> None:
    topology = Topology(NAME)
    assert (await inspect(bare.url, topology)).lacks == "quorum queues"
    bare.control("enable_feature_flag", "quorum_queue")
    assert (await inspect(bare.url, topology)).lacks == ""
    bare.control("set_permissions", "guest", "^other", "^(scoreboard|amq.default)", ".*")
    assert (await inspect(bare.url, topology)).lacks == "rights"
    bare.control("set_permissions", "guest", *shlex.split(RIGHTS))
    found = await inspect(bare.url, topology)
    assert (found.lacks, found.made) == ("", False)
    assert NAME not in bare.control("list_queues", "name")
