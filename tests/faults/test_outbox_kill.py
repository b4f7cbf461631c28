"""Delivery of exactly the applied updates to every consumer, through kill -9."""

import asyncio
import json
import os
import random
import sqlite3
import sys
from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from harness.ports import free_port
from harness.process import Process, process
from harness.servers.postgres import fresh_database
from harness.servers.redis import emptied
from harness.service import HOUR_S, settings
from harness.waiting import eventually
from scoreboard.adapters.sqlite.plugin import FILE
from scoreboard.bootstrap.tokens import issue
from tests.faults.accounts import clients
from tests.faults.test_kill import APP, made, more

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("SCOREBOARD_TEST_KILL_ROUNDS") or 3)
CONNECTIONS = 64
CONSUMERS = ("steady", "flaky", "other")
KEY = "a key that every process of this test has"


def consuming(folder: Path) -> list[str | Path]:
    """Return the command of a process whose consumers record in this folder."""
    return [sys.executable, Path(__file__).with_name("consuming.py"), folder, ",".join(CONSUMERS)]


class Recorded:
    """The events that a consumer recorded.

    A kill may have truncated a line. Its event was not handled.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self.scores: dict[str, tuple[int, int]] = {}  # of each player, the greatest version and its score

    def read(self) -> set[str]:
        events = set()
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            try:
                event, player, score, version = json.loads(line)
            except ValueError:
                continue
            events.add(event)
            self.scores[player] = max(self.scores.get(player, (0, 0)), (version, score))
        return events


async def all_delivered(folder: Path, applied: set[str], totals: dict[str, int]) -> None:
    for name in CONSUMERS:
        recorded = Recorded(folder, name)
        await eventually(partial(_has, recorded, applied), f"{name} got every event")
        assert recorded.read() == applied
        assert {player: score for player, (_, score) in recorded.scores.items()} == totals


def _has(recorded: Recorded, applied: set[str]) -> bool:
    return recorded.read() >= applied


async def test_on_sqlite(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "recorded"
    folder.mkdir()
    chance = random.Random(9)
    started = partial(process, data, program=consuming(folder))
    with ExitStack() as stack:
        running = await stack.enter_context(started()).ready()
        board, token = await made(running.url, running.mint("admin", "*")), running.mint("server", APP)
        load = stack.enter_context(clients(tmp_path, running.url, token, board, connections=CONNECTIONS))
        for _ in range(ROUNDS):
            await more(load, chance.randint(20_000, 200_000))
            running.kill()
            running = await stack.enter_context(started(port=running.port)).ready()
        await more(load, 50_000)
        load.stop()
        with closing(sqlite3.connect(data / FILE)) as database:
            applied = {event.hex() for (event,) in database.execute("SELECT event FROM ledger")}
            joined = "SELECT p.player, s.score FROM standings s JOIN players p ON p.number = s.player"
            totals = dict(database.execute(joined))
        assert len(applied) > 1_000
        await all_delivered(folder, applied, totals)
        running.terminate()
        assert await running.ended() == 0


async def test_on_postgresql_and_redis_with_two_of_each_role(tmp_path: Path, redis_url: str) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    chance = random.Random(10)
    url = await fresh_database()
    environment = {
        "SCOREBOARD_DATABASE_URL": url,
        "SCOREBOARD_RANKING_URL": emptied(redis_url),
        "SCOREBOARD_SIGNING_KEY": KEY,
    }
    numbers = count()

    def started(role: str, port: int | None = None) -> Any:
        data = tmp_path / f"{next(numbers)}-{role}"
        return process(data, port=port or free_port(), role=role, program=consuming(folder), **environment)

    with ExitStack() as stack:
        running: list[tuple[str, Process]] = [
            (role, stack.enter_context(started(role))) for role in ("api", "api", "jobs", "jobs")
        ]
        await asyncio.gather(*(one.ready() for _, one in running))
        own = settings(tmp_path / "mint", signing_key=KEY)
        admin = issue(own, role="admin", app="*", subject="somebody", ttl_s=HOUR_S)
        server = issue(own, role="server", app=APP, subject="somebody", ttl_s=HOUR_S)
        board = await made(running[0][1].url, admin)
        loads = []
        for number in range(2):
            logs = tmp_path / f"clients-{number}"
            logs.mkdir()
            address = running[number][1].url
            loads.append(stack.enter_context(clients(logs, address, server, board, connections=CONNECTIONS // 2)))
        for _ in range(2 * ROUNDS):
            await more(chance.choice(loads), chance.randint(10_000, 60_000))
            victim = chance.randrange(len(running))
            role, killed = running[victim]
            killed.kill()
            running[victim] = role, stack.enter_context(started(role, killed.port))
        for load in loads:
            await more(load, 20_000)
            load.stop()
        connection = await asyncpg.connect(url)
        applied = {event.hex() for (event,) in await connection.fetch("SELECT event FROM ledger")}
        joined = "SELECT p.player, s.score FROM standings s JOIN players p ON p.number = s.player"
        totals = dict(map(tuple, await connection.fetch(joined)))
        await connection.close()
        assert len(applied) > 1_000
        await all_delivered(folder, applied, totals)
