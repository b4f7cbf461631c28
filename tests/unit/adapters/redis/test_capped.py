"""Capped tables: the cost of updates, and players who enter or leave them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import pytest

from harness.servers.redis import TIMEOUTS, Server
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.application.ports.ranking import NotRanked, Position
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, board, standing, table
from tests.ports.capped import Capped, CappedRankings, capped_rankings
from tests.properties.test_order import Plain

pytestmark = pytest.mark.slow

KEEP = 4
MAIN = board(top_n=2)
KEY = table(MAIN)
SIX = {f"p{n}": standing(100 - n) for n in range(6)}
WRITES = ("zadd", "zrem", "hset", "hdel", "hincrby", "unlink", "expire", "publish")


@pytest.fixture
async def backend(server: Server) -> AsyncIterator[CappedRankings]:
    async with capped_rankings(server.url, KEEP) as opened:
        yield opened


@pytest.fixture
async def ranking(backend: CappedRankings) -> Capped:
    """Return a ranking of six players, of whom four are kept."""
    backend.given(KEY, MAIN, SIX)
    assert (await backend.ranking.total(KEY, MAIN), await backend.ranking.cache.cached_depth(KEY, MAIN)) == (6, KEEP)
    return backend.ranking


async def put(ranking: Capped, **standings: Standing) -> None:
    await ranking.apply(KEY, MAIN, standings, place=False)


async def check(ranking: Capped, standings: Mapping[str, Standing]) -> None:
    plain = Plain(MAIN, dict(standings))
    found = await ranking.slice(KEY, MAIN, 0, KEEP)
    assert (found.total, list(found.rows)) == (len(standings), plain.ranked()[:KEEP])
    for player in standings:
        assert await ranking.get_rank(KEY, MAIN, player) == plain.get_rank(player)


async def depth(ranking: Capped) -> int | None:
    return await ranking.cache.cached_depth(KEY, MAIN)


def count_writes(server: Server) -> tuple[int, Mapping[str, int]]:
    """Return the server's count of changed keys, and of calls of each writing command."""
    stats = server.ask("INFO", "commandstats")
    calls = {name: stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in WRITES}
    return server.ask("INFO", "persistence")["rdb_changes_since_last_save"], calls


class TestCost:
    async def test_an_update_below_the_kept_part_costs_one_call_and_no_write(
        self, ranking: Capped, server: Server
    ) -> None:
        before, calls = count_writes(server), server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
        for n in range(1, 21):
            below = {"p4": standing(n, version=n + 1), "p5": standing(50 - n, version=n + 1), f"new{n}": standing(n)}
            placed = await ranking.cache.apply(KEY, MAIN, below, place=True)
            assert placed == {}
        assert count_writes(server) == before
        assert server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == calls + 20

    async def test_an_update_in_the_kept_part_costs_writes(self, ranking: Capped, server: Server) -> None:
        before = count_writes(server)
        await put(ranking, p0=standing(200, version=2))
        assert count_writes(server) != before

    async def test_only_the_kept_part_takes_memory(self, ranking: Capped, server: Server) -> None:
        new = {f"n{n}": standing(200 + n) for n in range(500)}
        await put(ranking, **new)
        name = f"sb:{{{KEY.board}:all:}}"
        assert server.ask("ZCARD", f"{name}:order") == server.ask("HLEN", f"{name}:held") == KEEP
        assert server.ask("EXISTS", f"{name}:pending") == 0
        assert (await ranking.total(KEY, MAIN)) == 506


class TestLate:
    async def test_an_old_standing_does_not_restore_a_player_who_fell_below(self, ranking: Capped) -> None:
        fallen = {"p5": standing(10, version=3), "p0": standing(11, version=3)}
        await put(ranking, **fallen)
        for late in (standing(150, version=2), standing(99, version=1)):
            await ranking.cache.apply(KEY, MAIN, {"p5": late, "p0": late}, place=False)
        await check(ranking, SIX | fallen)

    async def test_a_player_who_falls_while_an_entry_is_proven_does_not_enter(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called, proceed = asyncio.Event(), asyncio.Event()
        of_players = ranking.totals.standings_of

        async def slow(key: TableKey, of: Board, players: Collection[str]) -> Mapping[str, Standing]:
            found = await of_players(key, of, players)
            called.set()
            await proceed.wait()
            return found

        monkeypatch.setattr(ranking.totals, "standings_of", slow)
        entering = asyncio.create_task(put(ranking, p5=standing(150, version=2)))
        await called.wait()
        await put(ranking, p5=standing(10, version=3))
        proceed.set()
        await entering
        await check(ranking, SIX | {"p5": standing(10, version=3)})

    async def test_a_player_removed_while_an_entry_is_proven_does_not_enter(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_players = ranking.totals.standings_of

        async def then_remove(key: TableKey, of: Board, players: Collection[str]) -> Mapping[str, Standing]:
            found = await of_players(key, of, players)
            await ranking.remove(KEY, "p5", 2)
            return found

        monkeypatch.setattr(ranking.totals, "standings_of", then_remove)
        await put(ranking, p5=standing(150, version=2))
        await check(ranking, {player: one for player, one in SIX.items() if player != "p5"})


class TestBuilding:
    async def test_updates_during_a_build_are_in_the_table(
        self, backend: CappedRankings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ranking = backend.ranking
        backend.given(KEY, MAIN, SIX)
        called, proceed = asyncio.Event(), asyncio.Event()
        best = ranking.totals.top

        async def slow(key: TableKey, of: Board, most: int) -> Sequence[tuple[str, Standing]]:
            found = await best(key, of, most)
            called.set()
            await proceed.wait()
            return found

        monkeypatch.setattr(ranking.totals, "top", slow)
        building = asyncio.create_task(ranking.cache.total(KEY, MAIN))
        await called.wait()
        during = {
            "p0": standing(1, version=2),  # was read as the best, and is the worst now
            "p5": standing(150, version=2),
            "new": standing(120),
            "last": standing(2),
        }
        updating = asyncio.create_task(put(ranking, **during))
        late = {"p4": standing(500, version=0)}  # out of range, and later standings are worse
        await ranking.totals.apply(KEY, MAIN, during, place=False)
        late_update = asyncio.create_task(ranking.cache.apply(KEY, MAIN, late, place=False))
        proceed.set()
        await asyncio.gather(building, updating, late_update)
        await check(ranking, SIX | during)
        assert await depth(ranking) is not None

    async def test_a_table_that_became_short_is_refilled_and_stays_readable(self, ranking: Capped) -> None:
        worse = {f"p{n}": standing(n, version=2) for n in range(3)}
        await put(ranking, p0=worse["p0"])
        epoch = (await ranking.cache.slice(KEY, MAIN, 0, 1)).position.epoch
        await ranking.cache.rebuild_if_resized(KEY, MAIN)
        assert (await depth(ranking), (await ranking.position(KEY, MAIN)).epoch) == (3, epoch)
        await put(ranking, **worse)
        await check(ranking, SIX | worse)
        assert await depth(ranking) == 1
        with pytest.raises(NotRanked):
            await ranking.cache.position(KEY, MAIN)  # the table holds less than the top N
        await ranking.cache.rebuild_if_resized(KEY, MAIN)
        await check(ranking, SIX | worse)
        assert await depth(ranking) == KEEP

    async def test_a_table_without_kept_standings_is_read_from_the_totals(self, ranking: Capped) -> None:
        worse = {f"p{n}": standing(n, version=2) for n in range(6)}
        await put(ranking, **worse)
        assert await depth(ranking) == 0
        await check(ranking, worse)

    async def test_a_cap_can_be_set_changed_and_removed(self, backend: CappedRankings, server: Server) -> None:
        ranking = backend.ranking
        for first in range(0, 10_500, 500):
            some = {f"q{n:05}": standing(n) for n in range(first, first + 500)}
            await ranking.totals.apply(KEY, MAIN, some, place=False)
        async with connect(server.url, TIMEOUTS) as client:
            for keep, left in ((0, None), (KEEP, KEEP), (100, 100), (90, 100), (0, None)):
                one = RedisRanking(client, backend.load, ranking.totals, keep, timeouts=TIMEOUTS)
                await one.total(KEY, MAIN)
                await one.rebuild_if_resized(KEY, MAIN)
                assert await one.cached_depth(KEY, MAIN) == left
                assert [row.player for row in (await one.slice(KEY, MAIN, 0, 3)).rows] == ["q10499", "q10498", "q10497"]
                await one.close()


class TestTotal:
    async def test_the_last_count_is_used_while_counting_fails(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object) -> int:
            raise NotRanked("unavailable")

        monkeypatch.setattr(ranking.totals, "total", fail)
        await ranking.totals.apply(KEY, MAIN, {"new": standing(1)}, place=False)
        found = await ranking.cache.slice(KEY, MAIN, 0, KEEP)
        assert (found.total, list(found.rows)) == (6, Plain(MAIN, SIX).ranked()[:KEEP])

    async def test_a_changed_count_changes_the_position(self, ranking: Capped) -> None:
        seen: list[Position] = [await ranking.position(KEY, MAIN)]
        for new in ({}, {"new": standing(1)}, {}):
            await put(ranking, **new)
            seen.append(await ranking.position(KEY, MAIN))
        assert seen[0] == seen[1] < seen[2] == seen[3]


class TestPast:
    async def test_a_past_table_is_read_from_the_totals_and_not_rebuilt(
        self, backend: CappedRankings, server: Server
    ) -> None:
        backend.given(KEY, MAIN, SIX)
        async with connect(server.url, TIMEOUTS) as client:
            cache = RedisRanking(client, backend.load, backend.ranking.totals, 0, lambda _, __: True, TIMEOUTS)
            past = Capped(cache, backend.ranking.totals)
            await check(past, SIX)
            with pytest.raises(NotRanked):
                await cache.apply(KEY, MAIN, SIX, place=True)
            assert server.ask("DBSIZE") == 0

    async def test_a_past_table_is_updated_until_it_is_evicted(
        self, backend: CappedRankings, ranking: Capped, server: Server
    ) -> None:
        async with connect(server.url, TIMEOUTS) as client:
            cache = RedisRanking(client, backend.load, ranking.totals, KEEP, lambda _, __: True, TIMEOUTS)
            past = Capped(cache, ranking.totals)
            await put(past, p0=standing(NOON, version=2))
            assert await cache.cached_tables() == [KEY]
            await check(past, SIX | {"p0": standing(NOON, version=2)})
            await cache.evict(KEY)
            assert await cache.cached_tables() == []
            await check(past, SIX | {"p0": standing(NOON, version=2)})
            await cache.close()
