"""Each server dies and comes back, and Redis is emptied, while updates and reads of several tables go on.

Hundreds of players stand still, those who are updated stay below them: so the place of each who stands still is known
at every moment, in the world and in a region, and an answer that has another is wrong.
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
from tests.distributed.servers import Servers, away

pytestmark = pytest.mark.slow

STILL = 300
REGIONS = ("eu", "us")
ABOVE = 1_000_000  # what the movers never reach
WRITERS, READERS = 8, 4
SOME = 10
BOARDS = {"sum": "increment", "best": "best", "queued": "increment"}


@dataclass
class Load:
    """`expected` is what each mover has by what was acknowledged, `written` and `read` count answers, by board."""

    service: Running
    expected: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    written: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    async def write(self, number: int, board: str) -> None:
        """One update after the other, each sent again until it is answered."""
        mover, count = f"mover{number}", 0
        server = self.service.client("server", "game")
        while not self.stopped:
            count += 1
            value = random.randrange(1, 100)
            what = {"score": value} if board == "best" else {"increment": value}
            body = {"player": mover, "region": REGIONS[number % 2], **what}
            key = f"{mover}-{board}-{count}"
            path = f"{address(board)}/scores"
            while (answer := await server.post(path, body, Idempotency_Key=key)).status == 503:
                assert answer.code in {"storage_failed", "queue_unavailable"}, answer.raw
            told = answer.ok(202 if board == "queued" else 200)
            before = self.expected[board].get(mover, 0)
            now = max(before, value) if board == "best" else before + value
            self.expected[board][mover] = now
            self.written[board] += 1
            if board != "queued":
                assert told["score"] == now
                assert told["rank"] is None or STILL < told["rank"] <= STILL + WRITERS, told

    async def look(self) -> None:
        """At one who stands still, in every way."""
        while not self.stopped:
            board, place = random.choice(list(BOARDS)), random.randrange(STILL)
            at, region = address(board), REGIONS[place % 2]
            for query, rank in (("", place + 1), (f"?region={region}", place // 2 + 1)):
                one = (await self.service.anybody.get(f"{at}/players/{still(place)}{query}")).ok()
                assert (one["score"], one["rank"]) in {(ABOVE - place, rank), (ABOVE - place, None)}
                assert (one["rank"] is None) == (one["rank_state"] != "exact")
            page = (await self.service.anybody.get(f"{at}/players/{still(place)}/around?radius=3")).ok()
            around = [(entry["player"], entry["rank"]) for entry in page["entries"]]
            assert (still(place), place + 1) in around
            assert [one for one in around if one[1] <= STILL] == [
                (still(rank - 1), rank) for _, rank in around if rank <= STILL
            ]
            page = (await self.service.anybody.get(f"{at}/top?limit=20&region={region}")).ok()
            assert [(entry["rank"], entry["player"]) for entry in page["entries"]] == [
                (n + 1, still(2 * n + place % 2)) for n in range(20)
            ]
            self.read[board] += 1

    async def goes_on(self, *, writing: tuple[str, ...], tasks: "list[asyncio.Task[None]]") -> None:
        """Returns when some more was read of every board, and written to these."""
        read, written = self.read.copy(), self.written.copy()

        def enough() -> bool:
            for task in tasks:
                if task.done():
                    task.result()
            return all(self.read[board] >= read[board] + SOME for board in BOARDS) and all(
                self.written[board] >= written[board] + SOME for board in writing
            )

        await eventually(enough, "it goes on")


def address(board: str) -> str:
    return f"/v1/apps/game/boards/{board}"


def still(place: int) -> str:
    return f"still{place:03}"


@asynccontextmanager
async def loaded(servers: Servers, folder: Path) -> AsyncIterator[Callable[..., Any]]:
    """The boards, with all who stand still, and the load; in the end each has what was acknowledged, and no more."""
    given = servers.settings(queue=True)
    async with running(folder / "data", **given) as service:
        for board, operator in BOARDS.items():
            await service.board(board, operator=operator, regions=REGIONS)
            what = "score" if operator == "best" else "increment"
            everybody = [
                {"player": still(n), what: ABOVE - n, "region": REGIONS[n % 2], "idempotency_key": f"{board}{n}"}
                for n in range(STILL)
            ]
            server = service.client("server", "game")
            (await server.post(f"{address(board)}/scores/batch", {"updates": everybody})).ok()
        (await service.operator.patch(address("queued"), {"consistency": "queued"})).ok()
        load = Load(service)
        tasks = [
            *(asyncio.create_task(load.write(n, board)) for n in range(WRITERS) for board in BOARDS),
            *(asyncio.create_task(load.look()) for _ in range(READERS)),
        ]
        try:
            yield partial(load.goes_on, tasks=tasks)
        finally:
            load.stopped = True
            await asyncio.gather(*tasks)
        for board in BOARDS:
            await eventually(partial(has_all, load, board), f"{board} has what was acknowledged")
            await eventually(partial(agrees, load, board), f"{board} is ranked as it is")


async def has_all(load: Load, board: str) -> bool:
    page = (await load.service.anybody.get(f"{address(board)}/top?limit=1000")).ok()
    scores = {entry["player"]: entry["score"] for entry in page["entries"]}
    return {player: score for player, score in scores.items() if score <= ABOVE - STILL} == load.expected[board]


async def agrees(load: Load, board: str) -> bool:
    try:
        return not await differences(load.service, board)
    except NotRanked:
        return False


@pytest.mark.parametrize(
    ("server", "meanwhile"),
    [("postgres", ("queued",)), ("redis", tuple(BOARDS)), ("broker", tuple(BOARDS))],
    ids=["postgresql", "redis", "rabbitmq"],
)
async def test_away(servers: Servers, tmp_path: Path, server: str, meanwhile: tuple[str, ...]) -> None:
    """Every read is answered, and every update of these boards."""
    async with loaded(servers, tmp_path) as goes_on:
        await goes_on(writing=tuple(BOARDS))
        async with away(getattr(servers, server)):
            await goes_on(writing=meanwhile)
        await goes_on(writing=tuple(BOARDS))


async def test_redis_emptied(servers: Servers, tmp_path: Path) -> None:
    async with loaded(servers, tmp_path) as goes_on:
        for _ in range(5):
            await goes_on(writing=tuple(BOARDS))
            servers.redis.ask("FLUSHALL")
        await goes_on(writing=tuple(BOARDS))
