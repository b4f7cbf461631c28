"""Concurrent reads of a real server share script calls without losing exactness."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from harness.servers.redis import TIMEOUTS, Server
from scoreboard.adapters.redis import keys, tables
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.script import Script
from scoreboard.application.ports.ranking import NotRanked, Position, RankedEntry
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, standing, table
from tests.properties.test_order import Plain

pytestmark = pytest.mark.slow

MAIN = board()
KEY = table(MAIN)
READERS = 64
FIRST = {f"p{n}": standing(100 - n) for n in range(20)}


async def load(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
    yield list(FIRST.items())


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with connect(server.url, TIMEOUTS) as opened:
        yield opened


@pytest.fixture
async def ranking(client: Client) -> AsyncIterator[RedisRanking]:
    """Return a ranking with one complete table."""
    one = RedisRanking(client, load, timeouts=TIMEOUTS)
    await one.warm(KEY, MAIN)
    yield one
    await one.close()


def script_calls(server: Server) -> int:
    return int(server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"])


async def put(ranking: RedisRanking, **standings: Standing) -> None:
    await ranking.apply(KEY, MAIN, standings, place=False)


class DelayedReply:
    """The reply to the first call of a script, held back until `release` is set."""

    def __init__(self, ranking: RedisRanking, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran, self.release = asyncio.Event(), asyncio.Event()
        self._script = script
        self._call = ranking.tables.call
        monkeypatch.setattr(ranking.tables, "call", self)

    async def __call__(self, script: Script, key: TableKey, *arguments: str | bytes | int) -> Any:
        answer = await self._call(script, key, *arguments)
        if script is self._script and not self.ran.is_set():
            self.ran.set()
            await self.release.wait()
        return answer


class TestCalls:
    async def test_concurrent_reads_of_a_position_take_one_call(self, ranking: RedisRanking, server: Server) -> None:
        before = script_calls(server)
        found = await asyncio.gather(*(ranking.position(KEY, MAIN) for _ in range(READERS)))
        assert script_calls(server) == before + 1
        assert set(found) == {await ranking.position(KEY, MAIN)}

    async def test_concurrent_reads_of_equal_slices_take_one_call(self, ranking: RedisRanking, server: Server) -> None:
        before = script_calls(server)
        places = [(0, 10), (0, 5), (7, 9), (3, 1)]
        found = await asyncio.gather(*(ranking.slice(KEY, MAIN, *place) for place in places * READERS))
        assert script_calls(server) == before + len(places)
        ranked = Plain(MAIN, FIRST).ranked()
        assert [list(one.rows) for one in found] == [ranked[start:stop] for start, stop in places] * READERS

    async def test_reads_during_a_call_share_the_next_one(
        self, ranking: RedisRanking, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reply = DelayedReply(ranking, tables.RANKS, monkeypatch)
        before = script_calls(server)
        first = asyncio.create_task(ranking.position(KEY, MAIN))
        await reply.ran.wait()
        others = [asyncio.create_task(ranking.position(KEY, MAIN)) for _ in range(READERS)]
        await asyncio.sleep(0)
        assert script_calls(server) == before + 1
        reply.release.set()
        await asyncio.gather(first, *others)
        assert script_calls(server) == before + 2

    async def test_each_table_has_its_own_calls(self, ranking: RedisRanking, server: Server) -> None:
        other = table(MAIN, region="eu")
        await ranking.warm(other, MAIN)
        before = script_calls(server)
        await asyncio.gather(*(ranking.position(key, MAIN) for key in (KEY, other) * READERS))
        assert script_calls(server) == before + 2


class TestExactness:
    async def test_a_position_is_never_older_than_its_question(
        self, ranking: RedisRanking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = await ranking.position(KEY, MAIN)
        reply = DelayedReply(ranking, tables.RANKS, monkeypatch)
        early = asyncio.create_task(ranking.position(KEY, MAIN))
        await reply.ran.wait()
        await put(ranking, p19=standing(500, version=2))
        late = asyncio.create_task(ranking.position(KEY, MAIN))
        await asyncio.sleep(0)
        reply.release.set()
        assert await early == before
        assert await late == Position(before.epoch, before.offset + 1)

    async def test_a_slice_is_never_older_than_its_question(
        self, ranking: RedisRanking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reply = DelayedReply(ranking, tables.SLICE, monkeypatch)
        early = asyncio.create_task(ranking.slice(KEY, MAIN, 0, 1))
        await reply.ran.wait()
        await put(ranking, p19=standing(500, version=2))
        late = asyncio.create_task(ranking.slice(KEY, MAIN, 0, 1))
        await asyncio.sleep(0)
        reply.release.set()
        assert [one.player for one in (await early).rows] == ["p0"]
        assert [one.player for one in (await late).rows] == ["p19"]

    async def test_reads_see_every_update_that_was_acknowledged(
        self, ranking: RedisRanking, client: Client, server: Server
    ) -> None:
        """Another process writes; a cached page equals the page of its position."""
        pages: dict[Position, list[RankedEntry]] = {}
        scores: dict[str, int] = {player: one.score for player, one in FIRST.items()}
        writer = RedisRanking(client, load, timeouts=TIMEOUTS)
        writes, rounds = 200, 0
        answered = await ranking.position(KEY, MAIN)
        before = script_calls(server)

        async def write() -> None:
            nonlocal answered
            for n in range(writes):
                player = f"p{n * 7 % 20}"
                await put(writer, **{player: standing(101 + n, version=2 + n)})
                scores[player], answered = 101 + n, Position(answered.epoch, answered.offset + 1)

        async def read(least: Position, known: Mapping[str, int]) -> None:
            position, page = await asyncio.gather(ranking.position(KEY, MAIN), ranking.slice(KEY, MAIN, 0, 20))
            assert position.epoch == page.position.epoch == least.epoch
            assert min(position.offset, page.position.offset) >= least.offset
            assert all(one.score >= known[one.player] for one in page.rows)
            assert pages.setdefault(page.position, list(page.rows)) == page.rows

        writing = asyncio.create_task(write())
        while not writing.done():
            await asyncio.gather(*(read(answered, dict(scores)) for _ in range(READERS)))
            rounds += 1
        await writing
        assert script_calls(server) - before <= writes + 2 * rounds
        last = await ranking.slice(KEY, MAIN, 0, 20)
        assert last.position == answered == await ranking.position(KEY, MAIN)
        assert {one.player: one.score for one in last.rows} == scores
        await writer.close()


class TestCallers:
    async def test_each_caller_is_answered_by_its_version_of_the_board(
        self, ranking: RedisRanking, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two boards share a call; the capped table holds the top N of one only."""
        await client.hset(f"{keys.of(KEY)}:meta", mapping={"floor": "f" * 32, "counted": 20, "counted_at": 2**50})
        small, large = board(top_n=20), board(top_n=21)
        found = await asyncio.gather(
            *(ranking.position(KEY, of) for of in (small, large, small)), return_exceptions=True
        )
        assert [type(one) for one in found] == [Position, NotRanked, Position]

    async def test_all_callers_get_the_error_of_a_server_that_is_down(
        self, ranking: RedisRanking, server: Server
    ) -> None:
        server.kill()
        found = await asyncio.gather(*(ranking.position(KEY, MAIN) for _ in range(READERS)), return_exceptions=True)
        assert [one.state for one in found if isinstance(one, NotRanked)] == ["unavailable"] * READERS

    async def test_a_cancelled_read_does_not_affect_the_others(
        self, ranking: RedisRanking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reply = DelayedReply(ranking, tables.RANKS, monkeypatch)
        readers = [asyncio.create_task(ranking.position(KEY, MAIN)) for _ in range(3)]
        await reply.ran.wait()
        readers[0].cancel()
        reply.release.set()
        found = await asyncio.gather(*readers, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1] == found[2] == await ranking.position(KEY, MAIN)
