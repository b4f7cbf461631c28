"""Promise 1: kill -9 neither loses nor doubles an acknowledged update."""

import os
import random
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from harness.client import Client
from harness.process import Process, process
from harness.waiting import eventually
from scoreboard.application.upkeep.verify import Report
from tests.faults.accounts import Account, Clients, Line, account, clients, in_flight, verified

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("SCOREBOARD_TEST_KILL_ROUNDS") or os.environ.get("SCOREBOARD_KILL_ROUNDS") or 3)
CONNECTIONS = 320
IN_FLIGHT = 200  # at least, at each kill
APP, BOARD = "game", "main"


async def made(url: str, token: str) -> str:
    async with aiohttp.ClientSession() as http:
        operator = Client(http, url, token)
        (await operator.post("/v1/apps", {"app": APP})).ok(201)
        (await operator.post(f"/v1/apps/{APP}/boards", {"board": BOARD})).ok(201)
    return f"/v1/apps/{APP}/boards/{BOARD}"


async def test_no_acknowledged_update_is_lost_or_doubled_by_kill_9_under_load(tmp_path: Path) -> None:
    data = tmp_path / "data"
    chance = random.Random(20)
    killed_at: list[float] = []
    with ExitStack() as stack:
        running = await stack.enter_context(process(data)).ready()
        board, token = await made(running.url, running.mint("admin", "*")), running.mint("server", APP)
        load = stack.enter_context(clients(tmp_path, running.url, token, board, connections=CONNECTIONS))
        for _ in range(ROUNDS):
            await more(load, chance.randint(50_000, 500_000))
            killed_at.append(time.monotonic())
            running.kill()
            running = await stack.enter_context(process(data, port=running.port)).ready()
        await more(load, 100_000)
        load.stop()
        lines = load.lines()
        await replayed(running, board, token, chance.sample([line for line in lines if line.kind == "A"], 100))
        running.terminate()
        assert await running.ended() == 0
    flying = [in_flight(lines, at) for at in killed_at]
    books, report = account(data, lines), await verified(data, APP, BOARD)
    print(table(lines, killed_at, flying, books, report))
    assert not [line for line in lines if line.kind == "X"]
    assert min(flying) >= IN_FLIGHT
    assert (books.lost, books.doubled, books.wrong) == (0, 0, 0)
    assert report.differences == []
    assert report.entries == books.acknowledged


async def more(load: Clients, size: int) -> None:
    """Wait until the clients have logged `size` more bytes, about 70 for each answer."""
    before = load.size()
    await eventually(lambda: load.size() - before > size, "updates are answered")


async def replayed(running: Process, board: str, token: str, lines: list[Line]) -> None:
    """Check that every acknowledged key still returns its first outcome."""
    async with aiohttp.ClientSession() as http:
        server = Client(http, running.url, token)
        for line in lines:
            body = b'{"player":"%b","increment":%d}' % (line.player.encode(), line.increment)
            answer = await server.call("POST", f"{board}/scores", raw=body, headers={"Idempotency-Key": line.key})
            answer.ok()
            assert answer.headers["Idempotent-Replayed"] == "true"


def table(lines: list[Line], killed_at: list[float], flying: list[int], books: Account, report: Report) -> str:
    shown = ["", "| kill | in flight | acknowledged since the last | unanswered, sent again |", "|---|---|---|---|"]
    since = 0.0
    for number, (at, count) in enumerate(zip(killed_at, flying, strict=True), 1):
        acknowledged = sum(line.kind == "A" and since < line.ended <= at for line in lines)
        broken = sum(line.kind == "B" and line.sent < at < line.ended for line in lines)
        shown.append(f"| {number} | {count} | {acknowledged:,} | {broken} |")
        since = at
    shown.append(
        f"acknowledged {books.acknowledged:,}; lost {books.lost}; doubled {books.doubled}; players with a wrong total "
        f"{books.wrong}; ledger {report.entries:,} = totals {report.standings:,} = ranking: {not report.differences}"
    )
    return "\n".join(shown)


async def test_no_accepted_request_is_dropped_by_sigterm_under_load(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ExitStack() as stack:
        running = await stack.enter_context(process(data)).ready()
        board, token = await made(running.url, running.mint("admin", "*")), running.mint("server", APP)
        load = stack.enter_context(clients(tmp_path, running.url, token, board, connections=CONNECTIONS))
        await more(load, 200_000)
        stopped_at = time.monotonic()
        running.terminate()
        assert await running.ended() == 0
        lines = load.lines()
        assert in_flight(lines, stopped_at) > 0
        books = account(data, lines)
        assert (books.lost, books.doubled) == (0, 0)
        again = await stack.enter_context(process(data, port=running.port)).ready()
        load.stop()
        again.terminate()
        assert await again.ended() == 0
    lines = load.lines()
    dropped = [line for line in lines if line.kind == "B" and line.sent < stopped_at < line.ended]
    assert not [line for line in lines if line.kind == "X"]
    books, report = account(data, lines), await verified(data, APP, BOARD)
    assert (books.lost, books.doubled, books.wrong) == (0, 0, 0)
    assert report.differences == []
    assert dropped == []
