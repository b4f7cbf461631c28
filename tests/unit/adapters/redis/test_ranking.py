"""Tables in Redis that are built and rebuilt; tests/ports has the common tests."""

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
from harness.servers.redis import TIMEOUTS, Cluster, Sentinels, Server, started, until
from harness.waiting import eventually
from scoreboard.adapters.redis import keys
from scoreboard.adapters.redis.connection import Client, connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.adapters.redis.tables import Tables
from scoreboard.adapters.redis.timeouts import RankingLimits, RedisTimeouts
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
LIMITS = RankingLimits(poll_s=0.01)


class Totals:
    """The ledger's totals at the time of the call, returned once `released` is set."""

    def __init__(self) -> None:
        self.tables: dict[TableKey, dict[str, Standing]] = {}
        self.loads: Counter[TableKey] = Counter()
        self.released = asyncio.Event()
        self.released.set()
        self.called = asyncio.Event()

    async def load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        self.loads[key] += 1
        rows = list(self.tables.get(key, {}).items())
        self.called.set()
        await self.released.wait()
        for start in range(0, len(rows), 3_000):
            yield rows[start : start + 3_000]

    def add(self, **standings: Standing) -> dict[str, Standing]:
        self.tables.setdefault(KEY, {}).update(standings)
        return standings


@pytest.fixture
async def totals() -> Totals:
    return Totals()


@asynccontextmanager
async def opened(
    client: Client, totals: Totals, timeouts: RedisTimeouts = TIMEOUTS, limits: RankingLimits = LIMITS
) -> AsyncIterator[RedisRanking]:
    ranking = RedisRanking(client, totals.load, timeouts=timeouts, limits=limits)
    yield ranking
    await ranking.close()


@pytest.fixture
async def ranking(client: Client, totals: Totals) -> AsyncIterator[RedisRanking]:
    async with opened(client, totals) as one:
        yield one


@pytest.fixture
async def on_server(server: Server, totals: Totals) -> AsyncIterator[RedisRanking]:
    """Return a ranking on a server that the test may kill."""
    async with connect(server.url, TIMEOUTS) as client, opened(client, totals) as one:
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


async def wait_until_exact(ranking: RedisRanking, totals: Totals, of: Board = MAIN) -> None:
    """Check that reads are exact or raise NotRanked, until one is exact."""

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
    "rank": lambda ranking: ranking.get_rank(KEY, MAIN, "ann"),
    "total": lambda ranking: ranking.total(KEY, MAIN),
    "position": lambda ranking: ranking.position(KEY, MAIN),
}


class TestTables:
    async def test_a_table_may_have_more_standings_than_a_call_takes(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(**{f"p{n}": standing(n) for n in range(3_500)})
        assert await scores(ranking) == [(f"p{n}", n) for n in range(3_500)][::-1]
        new = totals.add(**{f"p{n}": standing(-n, version=2) for n in range(3_500)})
        placed = await ranking.apply(KEY, MAIN, new, place=True)
        assert len(placed) == 3_500
        assert await scores(ranking) == [(f"p{n}", -n) for n in range(3_500)]

    async def test_concurrent_updates_of_several_tables(self, ranking: RedisRanking, totals: Totals) -> None:
        tables = [table(MAIN, region=f"r{n}") for n in range(50)]
        steps = [{"ann": standing(n, version=n)} for n in range(1, 5)]
        await asyncio.gather(*(ranking.apply(key, MAIN, step, place=True) for key in tables for step in steps))
        assert [await scores(ranking, key) for key in tables] == [[("ann", 4)]] * 50

    @pytest.mark.parametrize("part", ["order", "held", "meta", "scores", "counts"])
    async def test_a_table_that_lost_a_key_is_rebuilt(
        self, ranking: RedisRanking, totals: Totals, client: Client, part: str
    ) -> None:
        totals.add(ann=standing(5), bob=standing(5), cat=standing(3))
        expected = Plain(DENSE, totals.tables[KEY]).ranked()
        assert await rows(ranking, DENSE) == expected
        epoch = (await ranking.position(KEY, DENSE)).epoch
        assert await client.delete(f"{keys.of(KEY)}:{part}") == 1
        assert await rows(ranking, DENSE) == expected
        assert (await ranking.position(KEY, DENSE)).epoch != epoch

    async def test_a_failed_load_is_retried(self, client: Client) -> None:
        answers = [OSError("disk"), None]

        async def load(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
            yield [("ann", standing(5))]
            if (error := answers[0]) is not None:
                raise error

        ranking = RedisRanking(client, load, timeouts=TIMEOUTS)
        with pytest.raises(NotRanked):
            await ranking.total(KEY, MAIN)
        answers.pop(0)
        assert await ranking.total(KEY, MAIN) == 1

    @pytest.mark.slow
    async def test_unknown_tables_leave_nothing(self, client: Client, totals: Totals) -> None:
        async with opened(client, totals, limits=RankingLimits(empty_tables=1_000)) as ranking:
            for n in range(3_000):
                with contextlib.suppress(NotRanked):  # raised for tables beyond the limit
                    assert await ranking.total(table(MAIN, f"s{n}"), MAIN) == 0
            assert await client.dbsize() == 0
            assert len(ranking.builder.empty) <= 1_000

    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_a_table_without_standings_is_readable_and_leaves_nothing(
        self, ranking: RedisRanking, totals: Totals, client: Client, read: Callable[[RedisRanking], Awaitable[Any]]
    ) -> None:
        for _ in range(3):
            await read(ranking)
        assert totals.loads == {KEY: 1}
        assert await client.dbsize() == 0

    async def test_the_first_standing_of_a_known_empty_table_is_visible(
        self, ranking: RedisRanking, totals: Totals, redis_url: str
    ) -> None:
        async with connect(redis_url, TIMEOUTS) as client, opened(client, totals) as another:
            assert await ranking.total(KEY, MAIN) == 0
            empty = await ranking.position(KEY, MAIN)
            await put_all(another, totals.add(ann=standing(5)))
            assert await scores(ranking) == [("ann", 5)]
            assert await ranking.position(KEY, MAIN) != empty


class TestNotifications:
    @pytest.fixture
    async def notifications(self, client: Client) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """Return a function that counts the messages since its last call."""
        async with client.pubsub() as messages:
            await messages.subscribe(keys.changed(KEY))

            async def notifications() -> int:
                await client.publish(keys.changed(KEY), "end")
                for n in count():
                    while (message := await messages.get_message(ignore_subscribe_messages=True, timeout=30)) is None:
                        pass
                    if message["data"] == b"end":
                        return n
                return 0

            yield notifications

    async def test_only_changes_of_the_top_n_are_published(
        self, ranking: RedisRanking, notifications: Callable[[], Awaitable[int]]
    ) -> None:
        of = board(top_n=2)
        await put(ranking, of=of, ann=standing(9), bob=standing(7), cat=standing(5))
        await notifications()
        changes: list[tuple[dict[str, Standing], int]] = [
            ({"dan": standing(1)}, 0),  # below
            ({"cat": standing(6, version=2)}, 0),  # stays below
            ({"cat": standing(8, version=3)}, 1),  # enters
            ({"cat": standing(8, version=3)}, 0),  # again
            ({"bob": standing(2, version=2)}, 0),  # was out, and falls
            ({"ann": standing(1, NOON + 1, version=2)}, 1),  # leaves
            ({"eve": standing(8, NOON + 1)}, 1),  # behind cat
            ({"cat": standing(8, version=4)}, 0),  # the same line
            ({"dan": standing(9, version=2), "bob": standing(10, version=3)}, 1),  # one message per call
        ]
        positions = [(await ranking.position(KEY, of)).offset]
        for standings, expected in changes:
            await put_all(ranking, standings, of)
            assert await notifications() == expected, standings
            positions.append((await ranking.position(KEY, of)).offset)
        assert positions == sorted(positions)
        assert [after - before for before, after in pairwise(positions)].count(0) == 1

    @pytest.fixture
    def english(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
        """Start a server in whose locale 'a' comes before 'B'."""
        localedef = shutil.which("localedef") or missing("install locales")
        if subprocess.run([localedef, "-i", "en_US", "-f", "UTF-8", tmp_path / "en_US.UTF-8"], check=False).returncode:
            missing("install locales")
        monkeypatch.setenv("LOCPATH", str(tmp_path))
        monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
        with started(Server(tmp_path / "server")) as server:
            assert server.ask("EVAL", "return tostring('a' < 'B')", 0) == "true"
            yield server

    async def test_the_last_of_the_top_n_is_compared_by_bytes(self, english: Server, totals: Totals) -> None:
        of = board(top_n=1, ties="shared")
        async with connect(english.url, TIMEOUTS) as client, opened(client, totals) as ranking:
            tops = []
            for player in ("B", "a", "A"):
                await put(ranking, of, **{player: standing(5)})
                tops.append(await client.hget(f"{keys.of(KEY)}:meta", "top"))
        assert tops[0] == tops[1] != tops[2]

    async def test_a_rebuilt_table_and_a_removal_are_published(
        self, ranking: RedisRanking, totals: Totals, notifications: Callable[[], Awaitable[int]]
    ) -> None:
        totals.add(ann=standing(9), bob=standing(5))
        await ranking.warm(KEY, MAIN)
        assert await notifications() == 1
        await ranking.remove(KEY, "bob", 1)
        assert await notifications() == 1
        await ranking.remove(KEY, "bob", 1)
        assert await notifications() == 0


class TestRemoval:
    async def test_a_chunk_read_before_a_removal_does_not_restore_the_player(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(ann=standing(5), bob=standing(3))
        totals.released.clear()
        updating = asyncio.create_task(put(ranking, cat=standing(1)))
        await totals.called.wait()
        await ranking.remove(KEY, "ann", 1)
        totals.released.set()
        await updating
        assert await scores(ranking) == [("bob", 3), ("cat", 1)]

    async def test_a_late_update_does_not_restore_a_player_removed_from_an_absent_table(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(bob=standing(3))
        await ranking.remove(KEY, "ann", 7)
        await put(ranking, ann=standing(5, version=7))
        assert await scores(ranking) == [("bob", 3)]
        await put(ranking, ann=standing(5, version=8))
        assert await scores(ranking) == [("ann", 5), ("bob", 3)]

    async def test_removed_players_are_remembered_for_an_hour(self, ranking: RedisRanking, client: Client) -> None:
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
    async def test_processes_build_a_table_once(self, ranking: RedisRanking, totals: Totals, redis_url: str) -> None:
        totals.add(ann=standing(5))
        totals.released.clear()
        async with connect(redis_url, TIMEOUTS) as client, opened(client, totals) as another:
            asking = [asyncio.create_task(put(one, bob=standing(3))) for one in (ranking, another) for _ in range(5)]
            await totals.called.wait()
            totals.released.set()
            await asyncio.gather(*asking)
            assert totals.loads[KEY] == 1
            for one in (ranking, another):
                assert await scores(one) == [("ann", 5), ("bob", 3)]

    @pytest.mark.parametrize("read", READS.values(), ids=READS)
    async def test_reads_during_a_build_raise_not_ranked(
        self, client: Client, totals: Totals, read: Callable[[RedisRanking], Awaitable[Any]]
    ) -> None:
        totals.add(ann=standing(5))
        totals.released.clear()
        async with opened(client, totals, RedisTimeouts(build_s=0.001)) as ranking:
            for _ in range(3):
                with pytest.raises(NotRanked) as raised:
                    await read(ranking)
                assert raised.value.state == "warming"

    async def test_a_builder_whose_lease_expired_is_replaced_and_writes_nothing(
        self, ranking: RedisRanking, totals: Totals, redis_url: str
    ) -> None:
        totals.add(ann=standing(5), bob=standing(3))
        dead = Totals()
        dead.released.clear()
        dead.add(ann=standing(5), gone=standing(1))
        short = RankingLimits(lease_s=0.1, poll_s=0.01)
        async with connect(redis_url, TIMEOUTS) as client, opened(client, dead, limits=short) as other:
            updating = asyncio.create_task(put(other, ann=standing(5)))
            await dead.called.wait()
            assert await ranking.warm(KEY, MAIN) == 2
            epoch = (await ranking.position(KEY, MAIN)).epoch
            dead.released.set()
            await updating
            assert await scores(other) == await scores(ranking) == [("ann", 5), ("bob", 3)]
            assert (await ranking.position(KEY, MAIN)).epoch == epoch

    async def test_only_the_builder_may_write_with_its_epoch(
        self, ranking: RedisRanking, totals: Totals, client: Client
    ) -> None:
        totals.add(ann=standing(5))
        totals.released.clear()
        updating = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.called.wait()
        assert await Tables(client).apply(KEY, MAIN, {"gone": standing(1)}, 0, epoch="another's") == [b"absent", []]
        totals.released.set()
        await updating
        assert await scores(ranking) == [("ann", 5)]

    async def test_a_closed_builder_releases_its_lease(
        self, ranking: RedisRanking, totals: Totals, client: Client
    ) -> None:
        totals.add(ann=standing(5))
        totals.released.clear()
        updating = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.called.wait()
        await ranking.close()
        await updating
        totals.released.set()
        async with opened(client, totals) as another:
            assert await scores(another) == [("ann", 5)]

    async def test_a_board_dropped_during_a_build_is_built_from_the_new_totals(
        self, ranking: RedisRanking, totals: Totals
    ) -> None:
        totals.add(bob=standing(2))
        totals.released.clear()
        updating = asyncio.create_task(put(ranking, ann=standing(5)))
        await totals.called.wait()
        await ranking.drop(MAIN)
        totals.released.set()
        await updating
        totals.tables[KEY] = {"cat": standing(1)}
        await ranking.drop(MAIN)
        assert await scores(ranking) == [("cat", 1)]


class TestLoss:
    """Servers that lose data: reads are exact or raise NotRanked."""

    async def test_a_server_emptied_between_updates(
        self, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        for n in range(1, 60):
            new = totals.add(**{f"p{n % 7}": standing(n * 37 % 11, version=n)})
            if n % 9 == 0:
                server.ask("FLUSHALL")
            await put_all(on_server, new)
            if n % 5 == 0:
                server.ask("FLUSHALL")
            with contextlib.suppress(NotRanked):
                assert await rows(on_server) == Plain(MAIN, totals.tables[KEY]).ranked()
        await wait_until_exact(on_server, totals)

    async def test_a_server_killed_and_restarted(self, on_server: RedisRanking, totals: Totals, server: Server) -> None:
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
        await wait_until_exact(on_server, totals)
        assert (await on_server.position(KEY, MAIN)).epoch != before.epoch

    async def test_a_server_restarted_with_older_data(
        self, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5)))
        server.ask("SAVE")
        await put_all(on_server, totals.add(bob=standing(9)))
        server.kill()
        server.start()
        assert server.ask("EXISTS", f"{keys.of(KEY)}:meta") == 1
        await wait_until_exact(on_server, totals)

    async def test_a_replica_is_not_read_and_is_rebuilt_after_its_promotion(
        self, tmp_path: Path, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5)))
        with started(Server(tmp_path / "replica", "--repl-diskless-sync-delay", "0")) as replica:
            server.ask("CONFIG", "SET", "repl-diskless-sync-delay", 0)
            replica.ask("REPLICAOF", "127.0.0.1", server.port)
            until(lambda: replica.ask("EXISTS", f"{keys.of(KEY)}:meta"), "the replica has the table")
            async with connect(replica.url, TIMEOUTS) as client, opened(client, totals) as promoted:
                with pytest.raises(NotRanked):
                    await promoted.total(KEY, MAIN)
                replica.ask("REPLICAOF", "NO", "ONE")
                totals.add(bob=standing(9))  # not replicated
                await wait_until_exact(promoted, totals)

    @pytest.mark.slow
    async def test_a_master_of_a_cluster_is_killed(self, tmp_path: Path, totals: Totals) -> None:
        with started(Cluster(tmp_path)) as cluster:
            async with connect(cluster.url, TIMEOUTS) as client, opened(client, totals) as ranking:
                await put_all(ranking, totals.add(ann=standing(5)))
                await self._failed_over(ranking, totals, lambda: cluster.kill(cluster.master(keys.of(KEY))))

    @pytest.mark.slow
    async def test_a_master_behind_sentinel_is_killed(self, tmp_path: Path, totals: Totals) -> None:
        with started(Sentinels(tmp_path)) as sentinels:
            async with connect(sentinels.url, TIMEOUTS) as client, opened(client, totals) as ranking:
                await put_all(ranking, totals.add(ann=standing(5)))
                await self._failed_over(ranking, totals, sentinels.kill)

    @staticmethod
    async def _failed_over(ranking: RedisRanking, totals: Totals, kill: Callable[[], None]) -> None:
        before = await ranking.position(KEY, MAIN)
        kill()
        new = totals.add(bob=standing(9))
        with contextlib.suppress(Unavailable, NotRanked):
            await ranking.apply(KEY, MAIN, new, place=True)
        await wait_until_exact(ranking, totals)
        assert (await ranking.position(KEY, MAIN)).epoch != before.epoch

    async def test_an_outage_causes_few_connections(self, server: Server, totals: Totals) -> None:
        connections = 0

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.close()

        totals.add(ann=standing(5))
        async with connect(server.url, TIMEOUTS) as client, opened(client, totals) as ranking:
            assert await ranking.total(KEY, MAIN) == 1
            server.kill()
            async with await asyncio.start_server(hang_up, "127.0.0.1", server.port):
                for n in range(500):
                    with pytest.raises(Unavailable):
                        await ranking.apply(KEY, MAIN, {"ann": standing(n, version=n)}, place=False)
                    with pytest.raises(NotRanked):
                        await ranking.total(KEY, MAIN)
            assert connections < 50
            server.start()
            await wait_until_exact(ranking, totals)

    async def test_the_previous_rank_is_unknown_after_a_loss(
        self, on_server: RedisRanking, totals: Totals, server: Server
    ) -> None:
        await put_all(on_server, totals.add(ann=standing(5), bob=standing(9)))
        server.ask("FLUSHALL")
        new = totals.add(ann=standing(50, version=2))
        assert await on_server.apply(KEY, MAIN, new, place=True) == {"ann": RankChange(1, None)}
