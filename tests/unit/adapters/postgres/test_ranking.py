"""The ranking with a server that is down or slow, and its positions."""

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from harness.servers.postgres import TIMEOUTS, open_database, postgres
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.application.ports.ranking import NotRanked, OrderKey, Position, Ranking
from scoreboard.domain.board import Board
from tests.making import NOON, board, standing, table
from tests.ports.postgres_totals import PostgresRankings, postgres_rankings, shared_database

MAIN = board()
KEY = table(MAIN)
OTHER = board(pk=2)
READS: dict[str, Callable[[Ranking], Awaitable[object]]] = {
    "slice": lambda ranking: ranking.slice(KEY, MAIN, 0, 1),
    "slice_after": lambda ranking: ranking.slice_after(KEY, MAIN, OrderKey(1, NOON, "ann"), 1),
    "around": lambda ranking: ranking.around(KEY, MAIN, "ann", 1),
    "get_rank": lambda ranking: ranking.get_rank(KEY, MAIN, "ann"),
    "get_ranks": lambda ranking: ranking.get_ranks(KEY, MAIN, ["ann"]),
    "total": lambda ranking: ranking.total(KEY, MAIN),
    "position": lambda ranking: ranking.position(KEY, MAIN),
    "apply": lambda ranking: ranking.apply(KEY, MAIN, {"ann": standing(1)}, place=True),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_server_that_is_down_cannot_rank(read: Callable[[Ranking], Awaitable[object]]) -> None:
    async with open_database("postgresql://postgres@127.0.0.1:1/postgres") as store:
        with pytest.raises(NotRanked) as caught:
            await read(PostgresRanking(store))
    assert caught.value.state == "unavailable"


async def test_a_count_that_times_out_cannot_rank() -> None:
    url = await shared_database()
    locker = await asyncpg.connect(url)
    try:
        timeouts = replace(TIMEOUTS, statement_s=0.01)
        async with open_database(url, timeouts=timeouts) as store, locker.transaction():
            await locker.execute("LOCK TABLE standings IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(NotRanked, match="unavailable"):
                await PostgresRanking(store).slice(KEY, MAIN, 0, 1)
    finally:
        await locker.close()


async def moved(backend: PostgresRankings, seen: Position) -> Position:
    now = await backend.ranking.position(KEY, MAIN)
    assert now.epoch == seen.epoch
    assert now.offset > seen.offset
    return now


async def test_a_position_changes_with_each_commit_in_any_order() -> None:
    writers = [await asyncpg.connect(await shared_database()) for _ in range(3)]
    try:
        async with postgres_rankings() as backend:
            await put(backend, MAIN, 0)
            seen = await backend.ranking.position(KEY, MAIN)
            for n, writer in enumerate(writers):
                await writer.execute("BEGIN")
                await writer.execute("INSERT INTO tables (board, season, region) VALUES (1, $1, '')", str(n))
            assert await backend.ranking.position(KEY, MAIN) == seen  # no change is visible yet
            for writer in (writers[1], writers[2], writers[0]):
                await writer.execute("COMMIT")
                seen = await moved(backend, seen)
    finally:
        for writer in writers:
            await writer.close()


async def test_a_position_changes_with_subtransactions_too() -> None:
    async with postgres_rankings() as backend:
        await put(backend, MAIN, 0)
        seen = await backend.ranking.position(KEY, MAIN)
        writer = await asyncpg.connect(await shared_database())
        try:
            async with writer.transaction():
                await writer.execute("INSERT INTO tables (board, season, region) VALUES (1, 'x', '')")
                async with writer.transaction():
                    await writer.execute("INSERT INTO tables (board, season, region) VALUES (1, 'y', '')")
                await put(backend, OTHER, 0)
                seen = await moved(backend, seen)
            await moved(backend, seen)
        finally:
            await writer.close()


async def put(backend: PostgresRankings, of: Board, score: int) -> None:
    await backend.ranking.apply(table(of), of, {"ann": standing(score)}, place=False)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["server", "backend"])
async def test_a_server_that_crashed_has_another_epoch(whole: bool) -> None:
    """Transaction ids that were not written to disk are reused."""
    with postgres() as server:
        await database.migrate(server.url, TIMEOUTS)
        async with postgres_rankings(server.url) as backend:
            before = await backend.ranking.position(KEY, MAIN)
            if whole:
                server.kill()
                server.start()
            else:
                other = await asyncpg.connect(server.url)
                os.kill(other.get_server_pid(), signal.SIGKILL)

            async def has_another_epoch() -> bool:
                try:
                    return (await backend.ranking.position(KEY, MAIN)).epoch != before.epoch
                except NotRanked:
                    return False

            await eventually(has_another_epoch, "the server is up again")
