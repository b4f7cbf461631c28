"""What is RedisRanking's own: tables that are made, lost and made again. What they promise is in tests/ports."""

import asyncio
import contextlib
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.missing import missing
from harness.servers.redis import Cluster, Sentinels, Server, started, until
from harness.waiting import eventually
from scoreboard.adapters.redis import builder, keys
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.tables import Tables
from scoreboard.application.ports.ranking import NotRanked, OrderKey, RankChange, RankedEntry
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, board, standing, table
from tests.properties.test_order import Plain

pytestmark = pytest.mark.slow

MAIN = board()
DENSE = board(numbering="dense", ties="shared")
KEY = table(MAIN)


class Totals:
    """The ledger's totals, as they are when they are asked for, given no sooner than `going`."""

    def __init__(self) -> None:
        self.tables: dict[TableKey, dict[str, Standing]] = {}
        self.loads: Counter[TableKey] = Counter()
        self.going = asyncio.Event()
        self.going.set()
        self.asked = asyncio.Event()

    async def load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        self.loads[key] += 1
        rows = list(self.tables.get(key, {}).items())
        self.asked.set()
        await self.going.wait()
        for start in range(0, len(rows), 3_000):
            yield rows[start : start + 3_000]

    def add(self, **standings: Standing) -> dict[str, Standing]:
        self.tables.setdefault(KEY, {}).update(standings)
        return standings


@pytest.fixture(autouse=True)
def looks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "LOOK_EVERY_S", 0.01)


@pytest.fixture
async def totals() -> Totals:
    return Totals()


@asynccontextmanager
async def opened(client: Client, totals: Totals) -> AsyncIterator[RedisRanking]:
    ranking = RedisRanking(client, totals.load)
    yield ranking
    await ranking.close()


@pytest.fixture
async def ranking(client: Client, totals: Totals) -> AsyncIterator[RedisRanking]:
    async with opened(client, totals) as one:
        yield one


@pytest.fixture
async def on_server(server: Server, totals: Totals) -> AsyncIterator[RedisRanking]:
    """On a server of the test's own."""
    async with connect(server.url) as client, opened(client, totals) as one:
        yield one


async def rows(ranking: RedisRanking, of: Board = MAIN, key: TableKey = KEY) -> list[RankedEntry]:
    return list((await ranking.slice(key, of, 0, 10_000)).rows)


async def scores(ranking: RedisRanking, key: TableKey = KEY) -> list[tuple[str, int]]:
    return [(one.player, one.score) for one in await rows(ranking, key=key)]


async def put(ranking: RedisRanking, of: Board = MAIN, **standings: Standing) -> None:
    await put_all(ranking, standings, of)


async def put_all(ranking: RedisRanking, standings: Mapping[str, Standing], of: Board = MAIN) -> None:
    with contextlib.suppress(NotRanked):
        await ranking.apply(KEY, of, standings, place=False)


async def exact_again(ranking: RedisRanking, totals: Totals, of: Board = MAIN) -> None:
    """Reads are right or refused; and right in the end."""

    async def answered() -> bool:
        try:
            found = await rows(ranking, of)
        except NotRanked:
            return False
        assert found == Plain(of, totals.tables[KEY]).ranked()
        return True

    await eventually(answered)


READS: dict[str, Callable[[RedisRanking], Awaitable[Any]]] = {
    "slice": lambda ranking: ranking.slice(KEY, MAIN, 0, 10),
    "slice_after": lambda ranking: ranking.slice_after(KEY, MAIN, OrderKey(1, 1, "ann"), 1),
    "around": lambda ranking: ranking.around(KEY, MAIN, "ann", 1),
    "details": lambda ranking: ranking.get_rank(KEY, MAIN, "ann"),
    "total": lambda ranking: ranking.total(KEY, MAIN),
    "position": lambda ranking: ranking.position(KEY, MAIN),
}


class TestTables:
    async def test_more_standings_than_a_call_takes(self, ranking: RedisRanking, totals: Totals) -> None:
        totals.add(**{f"p{n}": standing(n) for n in range(3_500)})
        assert await scores(ranking) == [(f"p{n}", n) for n in range(3_500)][::-1]
        new = totals.add(**{f"p{n}": standing(-n, version=2) for n in range(3_500)})
        placed = await ranking.apply(KEY, MAIN, new, place=True)
        assert len(placed) == 3_500
        assert await scores(ranking) == [(f"p{n}", -n) for n in range(3_500)]

    async def test_calls_for_several_tables_at_once(self, ranking: RedisRanking, totals: Totals) -> None:
        tables = [table(MAIN, region=f"r{n}") for n in range(50)]
        steps = [{"ann": standing(n, version=n)} for n in range(1, 5)]
        await asyncio.gather(*(ranking.apply(key, MAIN, step, place=True) for key in tables for step in steps))
        assert [await scores(ranking, key) for key in tables] == [[("ann", 4)]] * 50

    @pytest.mark.parametrize("part", ["order", "held", "meta", "scores", "counts"])
    async def test_one_that_has_lost_a_key_is_made_again(
        self, ranking: RedisRanking, totals: Totals, client: Client, part: str
    ) -> None:
        totals.add(ann=standing(5), bob=standing(5), cat=standing(3))
        expected = Plain(DENSE, totals.tables[KEY]).ranked()
        assert await rows(ranking, DENSE) == expected
        epoch = (await ranking.position(KEY, DENSE)).epoch
        assert await client.delete(f"{keys.of(KEY)}:{part}") == 1
        assert await rows(ranking, DENSE) == expected
        assert (await ranking.position(KEY, DENSE)).epoch != epoch

    async def test_a_load_that_fails_is_tried_again(self, client: Client) -> None:
        answers = [OSError("disk"), None]

        async def load(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
            yield [("ann", standing(5))]
            if (error := answers[0]) is not None:
                raise error

        ranking = RedisRanking(client, load)
        with pytest.raises(NotRanked):
            await ranking.total(KEY, MAIN)
        answers.pop(0)
        assert await ranking.total(KEY, MAIN) == 1

    @pytest.mark.slow
    async def test_made_up_names_leave_nothing(
        self, ranking: RedisRanking, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(builder, "EMPTIES", 1_000)
        for n in range(3_000):
            with contextlib.suppress(NotRanked):  # more than are remembered
                assert await ranking.total(table(MAIN, f"s{n}"), MAIN) == 0
        assert await client.dbsize() == 0
        assert len(ranking.builder.empty) <= builder.EMPTIES

    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_one_without_standings_is_answered_and_leaves_nothing(
        self, ranking: RedisRanking, totals: Totals, client: Client, read: Callable[[RedisRanking], Awaitable[Any]]
    ) -> None:
        for _ in range(3):
            await read(ranking)
        assert totals.loads == {KEY: 1}
        assert await client.dbsize() == 0

    async def test_its_first_standing_is_seen_though_it_was_known_to_be_empty(
        self, ranking: RedisRanking, totals: Totals, redis_url: str
    ) -> None:
        async with connect(redis_url) as client, opened(client, totals) as another:
            assert await ranking.total(KEY, MAIN) == 0
            empty = await ranking.position(KEY, MAIN)
            await put_all(another, totals.add(ann=standing(5)))
            assert await scores(ranking) == [("ann", 5)]
            assert await ranking.position(KEY, MAIN) != empty


class TestTelling:
    @pytest.fixture
    async def told(self, client: Client) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """How many words of change came since it was asked last."""
        async with client.pubsub() as words:
            await words.subscribe(keys.changed(KEY))

            async def told() -> int:
                await client.publish(keys.changed(KEY), "end")
                for n in count():
                    while (word := await words.get_message(ignore_subscribe_messages=True, timeout=30)) is None:
                        pass
                    if word["data"] == b"end":
                        return n
                return 0

            yield told

    async def test_only_a_changed_top_is_told(self, ranking: RedisRanking, told: Callable[[], Awaitable[int]]) -> None:
        of = board(top_n=2)
        await put(ranking, of=of, ann=standing(9), bob=standing(7), cat=standing(5))
        await told()
        changes: list[tuple[dict[str, Standing], int]] = [
            ({"dan": standing(1)}, 0),  # below
            ({"cat": standing(6, version=2)}, 0),  # stays below
            ({"cat": standing(8, version=3)}, 1),  # enters
            ({"cat": standing(8, version=3)}, 0),  # again
            ({"bob": standing(2, version=2)}, 0),  # was out, and falls
            ({"ann": standing(1, NOON + 1, version=2)}, 1),  # leaves
            ({"eve": standing(8, NOON + 1)}, 1),  # behind cat
            ({"cat": standing(8, version=4)}, 0),  # the same line
            ({"dan": standing(9, version=2), "bob": standing(10, version=3)}, 1),  # one word a call
        ]
        positions = [(await ranking.position(KEY, of)).offset]
        for standings, words in changes:
            await put_all(ranking, standings, of)
            assert await told() == words, standings
            positions.append((await ranking.position(KEY, of)).offset)
        assert positions == sorted(positions)
        assert [after - before for before, after in pairwise(positions)].count(0) == 1

    @pytest.fixture
    def english(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
        """A server to which 'a' comes before 'B'."""
        localedef = shutil.which("localedef") or missing("install locales")
        if subprocess.run([localedef, "-i", "en_US", "-f", "UTF-8", tmp_path / "en_US.UTF-8"], check=False).returncode:
            missing("install locales")
        monkeypatch.setenv("LOCPATH", str(tmp_path))
        monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
        with started(Server(tmp_path / "server")) as server:
            assert server.ask("EVAL", "return tostring('a' < 'B')", 0) == "true"
            yield server

    async def test_the_bound_of_the_top_is_by_bytes(self, english: Server, totals: Totals) -> None:
        of = board(top_n=1, ties="shared")
        async with connect(english.url) as client, opened(client, totals) as ranking:
            tops = []
            for player in ("B", "a", "A"):
                await put(ranking, of, **{player: standing(5)})
                tops.append(await client.hget(f"{keys.of(KEY)}:meta", "top"))
        assert tops[0] == tops[1] != tops[2]

    async def test_a_table_made_anew_and_a_removal_are_told(
        self, ranking: RedisRanking, totals: Totals, told: Callable[[], Awaitable[int]]
    ) -> None:
        totals.add(ann=standing(9), bob=standing(5))
        await ranking.warm(KEY, MAIN)
        assert await told() == 1
        await ranking.remove(KEY, "bob", 1)
        assert await told() == 1
        await ranking.remove(KEY, "bob", 1)
        assert await told() == 0


class TestRemoval:
    async def test_no_chunk_that_was_read_before_brings_one_back(self, ranking: RedisRanking, totals: Totals) -> None:
        totals.add(ann=standing(5), bob=standing(3))
        totals.going.clear()
        updating = asyncio.create_task(put(ranking, cat=standing(1)))
        await totals.asked.wait()
        await ranking.remove(KEY, "ann", 1)
        totals.going.set()
        await updating
        assert await scores(ranking) == [("bob", 3), ("cat", 1)]

    async def test_no_late_update_brings_one_back_to_a_table_that_was_not_there(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(bob=standing(3))
        await ranking.remove(KEY, "ann", 7)
        await put(ranking, ann=standing(5, version=7))
        assert await scores(ranking) == [("bob", 3)]
        await put(ranking, ann=standing(5, version=8))
        assert await scores(ranking) == [("ann", 5), ("bob", 3)]

    async def test_who_is_gone_is_not_remembered_for_ever(self, ranking: RedisRanking, client: Client) -> None:
        await put(ranking, ann=standing(5), bob=standing(3))
        for player in ("ann", "bob"):
            await ranking.remove(KEY, player, 1)
        gone, at = f"{keys.of(KEY)}:gone", f"{keys.of(KEY)}:gone_at"
        assert {0 < await client.ttl(key) <= 3_600 for key in (gone, at)} == {True}
        await client.zadd(at, {"ann": NOON / 1e6 - 10**9})
        await ranking.remove(KEY, "cat", 1)
        assert sorted(await client.hkeys(gone)) == [b"bob", b"cat"]
        assert await client.zcard(at) == 2


class TestBuilding:
    async def test_processes_make_a_table_once(self, ranking: RedisRanking, totals: Totals, redis_url: str) -> None:
        totals.add(ann=standing(5))
        totals.going.clear()
        async with connect(redis_url) as client, opened(client, totals) as another:
            asking = [asyncio.create_task(put(one, bob=standing(3))) for one in (ranking, another) for _ in range(5)]
            await totals.asked.wait()
            totals.going.set()
            await asyncio.gather(*asking)
            assert totals.loads[KEY] == 1
            for one in (ranking, another):
                assert await scores(one) == [("ann", 5), ("bob", 3)]

    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_no_answer_is_given_meanwhile(
        self,
        ranking: RedisRanking,
        totals: Totals,
        monkeypatch: pytest.MonkeyPatch,
        read: Callable[[RedisRanking], Awaitable[Any]],
    ) -> None:
        monkeypatch.setattr(builder, "GRACE_S", 0.001)
        totals.add(ann=standing(5))
        totals.going.clear()
        for _ in range(3):
            with pytest.raises(NotRanked) as raised:
                await read(ranking)
            assert raised.value.state == "warming"

    async def test_another_takes_over_from_one_that_died_and_it_writes_no_more(
        self, ranking: RedisRanking, totals: Totals, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        totals.add(ann=standing(5), bob=standing(3))
        dead = Totals()
        dead.going.clear()
        dead.add(ann=standing(5), gone=standing(1))
        monkeypatch.setattr(builder, "BUILDER_S", 0.1)
        async with connect(redis_url) as client, opened(client, dead) as other:
            updating = asyncio.create_task(put(other, ann=standing(5)))
            await dead.asked.wait()
            assert await ranking.warm(KEY, MAIN) == 2
            epoch = (await ranking.position(KEY, MAIN)).epoch
            dead.going.set()
            await updating
            assert await scores(other) == await scores(ranking) == [("ann", 5), ("bob", 3)]
            assert (await ranking.position(KEY, MAIN)).epoch == epoch

    async def test_only_its_builder_writes_as_one(self, ranking: RedisRanking, totals: Totals, client: Client) -> None:
        totals.add(ann=standing(5))
        totals.going.clear()
        asked = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.asked.wait()
        assert await Tables(client).apply(KEY, MAIN, {"gone": standing(1)}, 0, epoch="another's") == [b"absent", []]
        totals.going.set()
        await asked
        assert await scores(ranking) == [("ann", 5)]

    async def test_one_that_closes_lets_another_begin_at_once(
        self, ranking: RedisRanking, totals: Totals, client: Client
    ) -> None:
        totals.add(ann=standing(5))
        totals.going.clear()
        asked = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.asked.wait()
        await ranking.close()
        await asked
        totals.going.set()
        async with opened(client, totals) as another:
            assert await scores(another) == [("ann", 5)]

    async def test_a_board_dropped_meanwhile_is_made_from_what_is_there_then(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(bob=standing(2))
        totals.going.clear()
        updating = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.asked.wait()
        await ranking.drop(MAIN)
        totals.going.set()
        await updating
        totals.tables[KEY] = {"cat": standing(1)}
        await ranking.drop(MAIN)
        assert await scores(ranking) == [("cat", 1)]


class TestLoss:
    """Of what a server had: reads are right or refused."""

    async def test_emptied_in_the_middle(self, on_server: RedisRanking, totals: Totals, server: Server) -> None:
        for n in range(1, 60):
            new = totals.add(**{f"p{n % 7}": standing(n * 37 % 11, version=n)})
            if n % 9 == 0:
                server.ask("FLUSHALL")
            await put_all(on_server, new)
            if n % 5 == 0:
                server.ask("FLUSHALL")
            with contextlib.suppress(NotRanked):
                assert await rows(on_server) == Plain(MAIN, totals.tables[KEY]).ranked()
        await exact_again(on_server, totals)

    async def test_killed_and_started_again(self, on_server: RedisRanking, totals: Totals, server: Server) -> None:
        await put_all(on_server, totals.add(ann=standing(5)))
        before = await on_server.position(KEY, MAIN)
        server.kill()
        with pytest.raises(Unavailable):
            await on_server.apply(KEY, MAIN, totals.add(ann=standing(6, version=2)), place=True)
        for read in READS.values():
            with pytest.raises(NotRanked) as raised:
                await read(on_server)
            assert raised.value.state == "unavailable"
        server.start()
        await exact_again(on_server, totals)
        assert (await on_server.position(KEY, MAIN)).epoch != before.epoch

    async def test_started_again_with_what_it_had_some_time_ago(
        self, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5)))
        server.ask("SAVE")
        await put_all(on_server, totals.add(bob=standing(9)))
        server.kill()
        server.start()
        assert server.ask("EXISTS", f"{keys.of(KEY)}:meta") == 1
        await exact_again(on_server, totals)

    async def test_a_replica_answers_nothing_and_is_not_believed_when_it_is_promoted(
        self, tmp_path: Path, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5)))
        with started(Server(tmp_path / "replica", "--repl-diskless-sync-delay", "0")) as replica:
            server.ask("CONFIG", "SET", "repl-diskless-sync-delay", 0)
            replica.ask("REPLICAOF", "127.0.0.1", server.port)
            until(lambda: replica.ask("EXISTS", f"{keys.of(KEY)}:meta"), "the replica has the table")
            async with connect(replica.url) as client, opened(client, totals) as promoted:
                with pytest.raises(NotRanked):
                    await promoted.total(KEY, MAIN)
                replica.ask("REPLICAOF", "NO", "ONE")
                totals.add(bob=standing(9))  # which did not come over
                await exact_again(promoted, totals)

    @pytest.mark.slow
    async def test_a_master_of_a_cluster_dies(self, tmp_path: Path, totals: Totals) -> None:
        with started(Cluster(tmp_path)) as cluster:
            async with connect(cluster.url) as client, opened(client, totals) as ranking:
                await put_all(ranking, totals.add(ann=standing(5)))
                await self._failed_over(ranking, totals, lambda: cluster.kill(cluster.master(keys.of(KEY))))

    @pytest.mark.slow
    async def test_a_master_that_sentinels_watch_dies(self, tmp_path: Path, totals: Totals) -> None:
        with started(Sentinels(tmp_path)) as sentinels:
            async with connect(sentinels.url) as client, opened(client, totals) as ranking:
                await put_all(ranking, totals.add(ann=standing(5)))
                await self._failed_over(ranking, totals, sentinels.kill)

    @staticmethod
    async def _failed_over(ranking: RedisRanking, totals: Totals, kill: Callable[[], None]) -> None:
        before = await ranking.position(KEY, MAIN)
        kill()
        new = totals.add(bob=standing(9))
        with contextlib.suppress(Unavailable, NotRanked):
            await ranking.apply(KEY, MAIN, new, place=True)
        await exact_again(ranking, totals)
        assert (await ranking.position(KEY, MAIN)).epoch != before.epoch

    async def test_an_outage_is_met_by_few_calls(self, server: Server, totals: Totals) -> None:
        met = 0

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal met
            met += 1
            writer.close()

        totals.add(ann=standing(5))
        async with connect(server.url) as client, opened(client, totals) as ranking:
            assert await ranking.total(KEY, MAIN) == 1
            server.kill()
            async with await asyncio.start_server(hang_up, "127.0.0.1", server.port):
                for n in range(500):
                    with pytest.raises(Unavailable):
                        await ranking.apply(KEY, MAIN, {"ann": standing(n, version=n)}, place=False)
                    with pytest.raises(NotRanked):
                        await ranking.total(KEY, MAIN)
            assert met < 50
            server.start()
            await exact_again(ranking, totals)

    async def test_the_rank_before_is_not_made_up_after_a_loss(
        self, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5), bob=standing(9)))
        server.ask("FLUSHALL")
        new = totals.add(ann=standing(50, version=2))
        assert await on_server.apply(KEY, MAIN, new, place=True) == {"ann": RankChange(1, None)}
