"""Real runs of the chaos suite with a fault injected between load and verdict."""

import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import asyncpg
import pytest
import redis
import uvloop

from chaos import rounds
from chaos.__main__ import main
from chaos.account import Line, acknowledged, update
from chaos.cluster import ROLES, Cluster, Victim, cluster
from chaos.judge import Judged, Verdict, judge
from chaos.rounds import APP, BOARDS, SCREENS, Loaded, create_app, loaded
from harness.client import Client
from harness.servers.redis import program
from harness.service import TIMINGS
from harness.waiting import eventually
from scoreboard.adapters.redis import keys
from scoreboard.bootstrap import service as bootstrap
from scoreboard.domain import event_id
from scoreboard.domain.submission import TableKey

pytestmark = pytest.mark.slow

PATIENCE_S = 10.0  # for conditions that never come true
LOAD = 300  # answers
LEADER, LEAD = "leader", 10_000_000


@dataclass
class Run:
    """A board that was under load, and is idle now."""

    cluster: Cluster
    http: aiohttp.ClientSession
    board: Loaded

    async def verdict(self) -> Verdict:
        return await judge(self.cluster, self.http, APP, [self.board.judged()], PATIENCE_S)

    async def update(self, **headers: str) -> str:
        """Send one more update, of a player who then leads. Return its event."""
        client = Client(self.http, self.cluster.apis[0], self.cluster.token("server", APP))
        path = f"/v1/apps/{APP}/boards/{self.board.name}/scores"
        answer = await client.call("POST", path, raw=update(LEADER, LEAD), headers=headers)
        return str(answer.ok(202 if headers else 200)["event"])

    def acknowledge(self, event: str) -> None:
        """Log an update as if one of the judged clients had sent it."""
        self.board.probe.lines.append(Line("A", "of the test", LEADER, LEAD, 0.0, 0.0, event))

    @contextmanager
    def without(self, role: Victim) -> Iterator[None]:
        """Kill every process of a role, and restart them at the end."""
        members = [self.cluster.victim(role, turn) for turn in range(ROLES[role])]
        for member in members:
            member.kill()
        try:
            yield
        finally:
            for member in members:
                member.start()

    async def ranking(self) -> "Ranking":
        """Return the ranking of the board's world table."""
        async with bootstrap.open_service(self.cluster.settings, parts=frozenset(), timings=TIMINGS) as service:
            board = await service.directory.board(APP, self.board.name)
        name = keys.of(TableKey(board.pk, "all", ""))
        return Ranking(self.cluster.settings.ranking_url, f"{name}:order", f"{name}:held")


class Ranking(NamedTuple):
    """A table in Redis, by its keys."""

    url: str
    order: str
    held: str

    def members(self) -> list[bytes]:
        """Return the members in order: 32 digits of score and time, then the player."""
        return list(self.ask("ZRANGE", self.order, 0, -1))

    def ask(self, *command: str | bytes | int) -> Any:
        with redis.Redis.from_url(self.url, protocol=2) as client:
            return client.execute_command(*command)


@pytest.fixture(scope="module")
def started_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    async def prepare() -> None:
        async with aiohttp.ClientSession() as http:
            await create_app(started, http)

    with cluster(tmp_path_factory.mktemp("chaos"), "redis", program()) as started:
        uvloop.run(prepare())
        yield started


@pytest.fixture
async def run(started_cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Run]:
    """A run on a new board."""
    await started_cluster.ready()
    name = request.node.name.split("[")[0][-40:].strip("_")
    async with aiohttp.ClientSession() as http, loaded(started_cluster, http, tmp_path, name) as board:
        await board.load.burst(LOAD)
        await board.load.hold()
        yield Run(started_cluster, http, board)


async def remove_from_ledger(cluster: Cluster, judged: Judged) -> None:
    """Delete one acknowledged update from the database."""
    answered = next(line for line in acknowledged(judged.lines).values() if line.kind == "A")
    connection = await asyncpg.connect(cluster.settings.database_url)
    try:
        event = event_id.from_text(answered.event)
        assert await connection.execute("DELETE FROM ledger WHERE event = $1", event) == "DELETE 1"
    finally:
        await connection.close()


async def test_a_sound_board_has_no_faults(run: Run) -> None:
    run.acknowledge(await run.update())
    assert (await run.verdict()).faults == {}


async def test_a_loss_is_found(run: Run) -> None:
    await remove_from_ledger(run.cluster, run.board.judged())
    faults = (await run.verdict()).faults
    assert faults.pop("differences"), "the ledger amounts to less than the totals"
    assert faults == {"lost": 1, "without": 1}


def test_the_program_names_a_loss_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def judged_after_a_loss(
        cluster: Cluster, http: aiohttp.ClientSession, app: str, boards: Sequence[Judged]
    ) -> Verdict:
        await remove_from_ledger(cluster, boards[-1])
        return await judge(cluster, http, app, boards, PATIENCE_S)

    monkeypatch.setattr(rounds, "judge", judged_after_a_loss)
    monkeypatch.setattr(sys, "argv", ["chaos", "--only", "jobs", "--rounds", "1"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main() == 1
    _, _, row, *faults = capsys.readouterr().out.splitlines()
    victim, kills, _, _, *counts = [cell.strip() for cell in row.strip("|").split("|")]
    assert (victim, kills, counts[:3]) == ("jobs", "1", ["1", "0", "1"])
    assert {"jobs: lost: 1", "jobs: without: 1"} < set(faults)


async def test_an_update_that_counts_twice_is_found(run: Run) -> None:
    run.acknowledge(await run.update())
    await run.update()
    assert (await run.verdict()).faults == {"doubled": 1, "wrong": 2}, "of the world and a region"


async def test_an_update_without_an_outcome_is_found(run: Run) -> None:
    await eventually(lambda: not waiting(run.cluster), "all that was sent before is applied")
    with run.without("worker"):
        run.acknowledge(await run.update(Prefer="respond-async"))
        await eventually(lambda: purged(run.cluster), "the update waits in its queue")
    assert (await run.verdict()).faults == {"lost": 1, "without": 1, "wrong": 2}


def waiting(cluster: Cluster) -> list[str]:
    """Return the queues that have messages, in flight or not."""
    rows = cluster.rabbitmq.control("list_queues", "name", "messages").splitlines()
    return [name for name, count in map(str.split, rows) if count.isdigit() and int(count)]


def purged(cluster: Cluster) -> bool:
    """Purge all queues. Return whether any had messages."""
    names = waiting(cluster)
    for name in names:
        cluster.rabbitmq.control("purge_queue", name)
    return bool(names)


async def test_a_wrong_rank_is_found(run: Run) -> None:
    """The rank is that of the last player, whom no screen shows."""
    with run.without("jobs"):
        ranking = await run.ranking()
        member = ranking.members()[-1]
        worst = b"f" * 16 + member[16:]
        ranking.ask("ZREM", ranking.order, member)
        ranking.ask("ZADD", ranking.order, 0, worst)
        ranking.ask("HSET", ranking.held, member[32:], worst[:32] + ranking.ask("HGET", ranking.held, member[32:])[32:])
        verdict = await run.verdict()
    assert verdict.faults.keys() == {"differences"}
    assert [one.rpartition(": ")[2] for one in verdict.differences] == [f"{member[32:].decode()} differs"]


async def test_a_rank_that_is_wrong_only_in_a_query_for_its_player_is_found(run: Run) -> None:
    with run.without("jobs"):
        ranking = await run.ranking()
        first, *_, last = (member[32:] for member in ranking.members())
        ranking.ask("HSET", ranking.held, last, ranking.ask("HGET", ranking.held, first))
        verdict = await run.verdict()
    assert verdict.faults.keys() == {"differences"}


async def test_a_screen_that_does_not_show_the_final_board_is_found(run: Run) -> None:
    with run.without("live"):
        run.acknowledge(await run.update())
        assert (await run.verdict()).faults == {"screens": SCREENS // BOARDS}
