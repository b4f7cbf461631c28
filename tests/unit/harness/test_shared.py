"""Shared servers that break: each is replaced at its URL, and its log is printed."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.missing import missing
from harness.servers import postgres, rabbitmq, redis, shared
from harness.waiting import BOUND_S
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.application.ports.queue import Message

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture the output that replace_broken() prints past pytest."""
    monkeypatch.setattr(shared, "uncaptured", ExitStack)


async def passes_a_message(url: str) -> bool:
    async with asyncio.timeout(BOUND_S), rabbitmq.open_queue(url, Topology("after", shards=1, waits_s=(0.1,))) as queue:
        await queue.publish([Message(b"here", "ann")])
        (delivery,) = await queue.receive(1)
        return delivery.message.body == b"here"


def test_a_node_that_cannot_declare_queues_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """The node runs without the supervisor that quorum queues with dead letters need."""
    if not rabbitmq.PROGRAM.exists():
        missing("install rabbitmq-server")
    with rabbitmq.started() as server, shared.kept_working(server):
        url, pid = server.url, server.pid
        shared.replace_broken()
        assert server.pid == pid
        server.control("eval", 'rabbit_log:error("the reason").')
        redis.until(lambda: "the reason" in server.log(), "the node has written its log")
        server.control("eval", "supervisor:terminate_child(rabbit_sup, rabbit_fifo_dlx_sup).")
        shared.replace_broken()
        assert server.pid != pid
        assert server.url == url
        assert asyncio.run(passes_a_message(url))
        shared.replace_broken()
    printed = capsys.readouterr().err
    assert printed.count("is replaced") == 1
    assert "the reason" in printed


def test_a_server_that_died_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        single = stack.enter_context(redis.started(redis.Server(tmp_path)))
        cluster = stack.enter_context(redis.started(redis.Cluster(tmp_path)))
        database = stack.enter_context(postgres.postgres())
        for server in (single, cluster, database):
            stack.enter_context(shared.kept_working(server))
        shared.replace_broken()
        assert not capsys.readouterr().err
        for one in (single, cluster.servers[0], database):
            one.kill()
        shared.replace_broken()
        printed = capsys.readouterr().err
        for server in (single, cluster, database):
            assert f"{server.url} no longer works" in printed
            assert server.works()
