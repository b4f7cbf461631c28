"""Races between workers of one queue, held inside a transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.adapters.rabbitmq.topology import Topology
from scoreboard.bootstrap.mounting import Part
from scoreboard.domain.submission import Outcome, Submission
from tests.distributed.calls import differences, top, update
from tests.distributed.held import entries, held, rows, waits_for_a_lock
from tests.distributed.servers import Servers

pytestmark = pytest.mark.slow

FIRST: frozenset[Part] = frozenset({"api", "live", "worker"})
SECOND: frozenset[Part] = frozenset({"worker"})


class TestRedeliveryDuringApply:
    """A worker loses its connection in a transaction. Another gets the message too."""

    async def test_it_counts_once_and_has_one_outcome(
        self, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with worker(servers, tmp_path / "first", FIRST) as first:
            board = await first.board(consistency="queued")
            (await update(first, board, "ann", 1)).ok(202)
            await eventually(lambda: counted(servers, 1), "the worker consumes the queue")
            (connection,) = await consuming(servers)
            async with worker(servers, tmp_path / "second", SECOND) as second:
                applied = [outcomes(one, monkeypatch) for one in (first, second)]
                async with held(first.service.ledger, "_write", after=True) as written:
                    event = (await update(first, board, "ann", 10)).ok(202)["event"]
                    await written.reached()
                    await control(servers, "close_connection", connection, "cut")
                    await waits_for_a_lock(servers)
                    written.release()
                await eventually(lambda: all(applied), "both have applied it")
                assert [(one.status, one.score) for some in applied for one in some] == [("applied", 11)] * 2
                await eventually(lambda: drained(servers), "both have acknowledged it")
                assert (await first.operator.get(f"/v1/apps/game/events/{event}")).ok()["score"] == 11
                assert await entries(servers) == 2
                assert await top(first, board) == [(1, "ann", 11)]
                assert await differences(first) == []


class TestTwoWorkersOnOnePlayer:
    """Two workers that apply messages of one player at the same time."""

    async def test_their_locks_order_them(
        self, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Topology, "declare_queue", several_active_consumers(Topology.declare_queue))
        async with (
            worker(servers, tmp_path / "first", FIRST) as first,
            worker(servers, tmp_path / "second", SECOND) as second,
        ):
            board = await first.board(consistency="queued")
            (await update(first, board, "ann", 1)).ok(202)
            await eventually(lambda: counted(servers, 1), "it is applied")
            ((version,),) = await rows(servers, "SELECT version FROM standings")
            applied = [outcomes(one, monkeypatch) for one in (first, second)]
            async with (
                held(first.service.ledger, "_write", after=True) as one,
                held(second.service.ledger, "_write", after=True) as other,
            ):
                points = {asyncio.ensure_future(point.reached()): point for point in (one, other)}
                (await update(first, board, "ann", 10)).ok(202)
                written, waiting = await asyncio.wait(points, return_when=asyncio.FIRST_COMPLETED)
                (await update(first, board, "ann", 100)).ok(202)
                await waits_for_a_lock(servers, *waiting)
                for point in points.values():
                    point.release()
                await eventually(lambda: all(applied), "each has applied its message")
                await asyncio.gather(*written, *waiting)
            await eventually(lambda: drained(servers), "both have acknowledged")
            assert sorted(one.score for some in applied for one in some) == [11, 111]
            assert await rows(servers, "SELECT score, version FROM standings") == [(111, version + 2)]
            assert await top(first, board) == [(1, "ann", 111)]
            assert await differences(first) == []


@asynccontextmanager
async def worker(servers: Servers, folder: Path, parts: frozenset[Part]) -> AsyncIterator[Running]:
    """Run a worker, and wait until it consumes every queue."""
    given = servers.settings(queue=True)
    before = len(await consuming(servers))
    async with running(folder, parts=parts, **given) as one:

        async def consumes() -> bool:
            listed = await control(servers, "list_consumers", "-p", vhost(servers), "queue_name")
            return listed.count(".takers") > before

        await eventually(consumes, "the worker consumes every queue")
        yield one


def vhost(servers: Servers) -> str:
    return servers.queue_url.rpartition("/")[2]


async def consuming(servers: Servers) -> list[str]:
    """Return the connections of consumers."""
    listed = await control(servers, "list_connections", "pid", "vhost", "client_properties")
    lines = [line.split("\t", 2) for line in listed.splitlines()]
    return [pid for pid, where, who in lines if where == vhost(servers) and "scoreboard consuming" in who]


async def control(servers: Servers, *command: str) -> str:
    return await asyncio.to_thread(servers.broker.control, *command)


async def drained(servers: Servers) -> bool:
    """Return whether no message is waiting, in flight or dead."""
    listed = await control(servers, "list_queues", "-p", vhost(servers), "messages")
    return not any(int(line) for line in listed.split() if line.isdigit())


async def counted(servers: Servers, count: int) -> bool:
    return await entries(servers) == count


def outcomes(one: Running, monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """Return a list that collects the outcomes of this process from now on."""
    collected: list[Outcome] = []
    submit = one.service.commit.submit

    async def collecting(submissions: Sequence[Submission], *, ranks: bool) -> Any:
        results = await submit(submissions, ranks=ranks)
        collected.extend(result.outcome for result in results)
        return results

    monkeypatch.setattr(one.service.commit, "submit", collecting)
    return collected


def several_active_consumers(declare: Any) -> Any:
    """Return a `declare_queue` whose queues have several active consumers."""

    async def declaring(*args: Any, **arguments: Any) -> None:
        await declare(*args, **{name: of for name, of in arguments.items() if name != "x-single-active-consumer"})

    return declaring
