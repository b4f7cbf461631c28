"""Outages of each server, and an emptied Redis, during updates and reads.

Hundreds of idle players stay above those who are updated. So the rank of each idle player is constant, in the world and
in a region, and an answer with another rank is wrong.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.application.ports.ranking import NotRanked
from tests.distributed.calls import differences
from tests.distributed.servers import Servers, down

pytestmark = pytest.mark.slow

IDLE = 300
REGIONS = ("eu", "us")
ABOVE = 1_000_000  # more than the active players reach
WRITERS, READERS = 8, 4
SOME = 10
BOARDS = {"sum": "increment", "best": "best", "queued": "increment"}


@dataclass
class Load:
    """The writers and readers, and their results by board.

    `expected` has the acknowledged score of each active player. `written` and `read` count answers.
    """

    service: Running
    expected: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    written: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    async def write(self, number: int, board: str) -> None:
        """Send updates. Retry each until it is acknowledged."""
        player, count = f"active{number}", 0
        server = self.service.client("server", "game")
        while not self.stopped:
            count += 1
            value = random.randrange(1, 100)
            what = {"score": value} if board == "best" else {"increment": value}
            body = {"player": player, "region": REGIONS[number % 2], **what}
            key = f"{player}-{board}-{count}"
            path = f"{address(board)}/scores"
            while (answer := await server.post(path, body, Idempotency_Key=key)).status == 503:
                assert answer.code in {"storage_failed", "queue_unavailable"}, answer.raw
            result = answer.ok(202 if board == "queued" else 200)
            before = self.expected[board].get(player, 0)
            now = max(before, value) if board == "best" else before + value
            self.expected[board][player] = now
            self.written[board] += 1
            if board != "queued":
                assert result["score"] == now
                assert result["rank"] is None or IDLE < result["rank"] <= IDLE + WRITERS, result

    async def check_reads(self) -> None:
        """Read the rank of idle players with every kind of request."""
        while not self.stopped:
            board, place = random.choice(list(BOARDS)), random.randrange(IDLE)
            at, region = address(board), REGIONS[place % 2]
            for query, rank in (("", place + 1), (f"?region={region}", place // 2 + 1)):
                one = (await self.service.anybody.get(f"{at}/players/{idle(place)}{query}")).ok()
                assert (one["score"], one["rank"]) in {(ABOVE - place, rank), (ABOVE - place, None)}
                assert (one["rank"] is None) == (one["rank_state"] != "exact")
            page = (await self.service.anybody.get(f"{at}/players/{idle(place)}/around?radius=3")).ok()
            around = [(entry["player"], entry["rank"]) for entry in page["entries"]]
            assert (idle(place), place + 1) in around
            assert [one for one in around if one[1] <= IDLE] == [
                (idle(rank - 1), rank) for _, rank in around if rank <= IDLE
            ]
            page = (await self.service.anybody.get(f"{at}/top?limit=20&region={region}")).ok()
            assert [(entry["rank"], entry["player"]) for entry in page["entries"]] == [
                (n + 1, idle(2 * n + place % 2)) for n in range(20)
            ]
            self.read[board] += 1

    async def progress(self, *, writing: tuple[str, ...], tasks: "list[asyncio.Task[None]]") -> None:
        """Wait for more reads of every board, and more updates of these."""
        read, written = self.read.copy(), self.written.copy()

        def enough() -> bool:
            for task in tasks:
                if task.done():
                    task.result()
            return all(self.read[board] >= read[board] + SOME for board in BOARDS) and all(
                self.written[board] >= written[board] + SOME for board in writing
            )

        await eventually(enough, "the load continues")


def address(board: str) -> str:
    return f"/v1/apps/game/boards/{board}"


def idle(place: int) -> str:
    return f"idle{place:03}"


@asynccontextmanager
async def loaded(servers: Servers, folder: Path) -> AsyncIterator[Callable[..., Any]]:
    """Run the load. At the end, check that each player has the acknowledged score."""
    given = servers.settings(queue=True)
    async with running(folder / "data", **given) as service:
        for board, operator in BOARDS.items():
            await service.board(board, operator=operator, regions=REGIONS)
            value_field = "score" if operator == "best" else "increment"
            idle_players = [
                {"player": idle(n), value_field: ABOVE - n, "region": REGIONS[n % 2], "idempotency_key": f"{board}{n}"}
                for n in range(IDLE)
            ]
            server = service.client("server", "game")
            (await server.post(f"{address(board)}/scores/batch", {"updates": idle_players})).ok()
        (await service.operator.patch(address("queued"), {"consistency": "queued"})).ok()
        load = Load(service)
        tasks = [
            *(asyncio.create_task(load.write(n, board)) for n in range(WRITERS) for board in BOARDS),
            *(asyncio.create_task(load.check_reads()) for _ in range(READERS)),
        ]
        try:
            yield partial(load.progress, tasks=tasks)
        finally:
            load.stopped = True
            await asyncio.gather(*tasks)
        for board in BOARDS:
            await eventually(partial(has_all, load, board), f"{board} has the acknowledged scores")
            await eventually(partial(agrees, load, board), f"{board} has an exact ranking")


async def has_all(load: Load, board: str) -> bool:
    page = (await load.service.anybody.get(f"{address(board)}/top?limit=1000")).ok()
    scores = {entry["player"]: entry["score"] for entry in page["entries"]}
    return {player: score for player, score in scores.items() if score <= ABOVE - IDLE} == load.expected[board]


async def agrees(load: Load, board: str) -> bool:
    try:
        return not await differences(load.service, board)
    except NotRanked:
        return False


@pytest.mark.parametrize(
    ("server", "writable"),
    [("postgres", ("queued",)), ("redis", tuple(BOARDS)), ("broker", tuple(BOARDS))],
    ids=["postgresql", "redis", "rabbitmq"],
)
async def test_outage(servers: Servers, tmp_path: Path, server: str, writable: tuple[str, ...]) -> None:
    """Reads succeed during the outage, and so do updates of the `writable` boards."""
    async with loaded(servers, tmp_path) as progress:
        await progress(writing=tuple(BOARDS))
        async with down(getattr(servers, server)):
            await progress(writing=writable)
        await progress(writing=tuple(BOARDS))


async def test_redis_emptied(servers: Servers, tmp_path: Path) -> None:
    async with loaded(servers, tmp_path) as progress:
        for _ in range(5):
            await progress(writing=tuple(BOARDS))
            servers.redis.ask("FLUSHALL")
        await progress(writing=tuple(BOARDS))
