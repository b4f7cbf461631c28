"""A ranking that keeps only the best of a table: what it costs, and what it does when they go or come."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import pytest

from harness.servers.redis import Server
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
    """Of six players; four of them are kept."""
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


async def kept(ranking: Capped) -> int | None:
    return await ranking.cache.cached_depth(KEY, MAIN)


def written(server: Server) -> tuple[int, Mapping[str, int]]:
    """What the server counted: changes to its keys, and calls of what makes any."""
    stats = server.ask("INFO", "commandstats")
    calls = {name: stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in WRITES}
    return server.ask("INFO", "persistence")["rdb_changes_since_last_save"], calls


class TestCost:
    async def test_who_stays_below_the_lowest_kept_costs_one_call_and_no_write(
        self, ranking: Capped, server: Server
    ) -> None:
        before, calls = written(server), server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
        for n in range(1, 21):
            below = {"p4": standing(n, version=n + 1), "p5": standing(50 - n, version=n + 1), f"new{n}": standing(n)}
            placed = await ranking.cache.apply(KEY, MAIN, below, place=True)
            assert placed == {}
        assert written(server) == before
        assert server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == calls + 20

    async def test_one_who_is_kept_costs_writes(self, ranking: Capped, server: Server) -> None:
        """So that the counters are known to count."""
        before = written(server)
        await put(ranking, p0=standing(200, version=2))
        assert written(server) != before

    async def test_only_the_best_take_room(self, ranking: Capped, server: Server) -> None:
        new = {f"n{n}": standing(200 + n) for n in range(500)}
        await put(ranking, **new)
        name = f"sb:{{{KEY.board}:all:}}"
        assert server.ask("ZCARD", f"{name}:order") == server.ask("HLEN", f"{name}:held") == KEEP
        assert server.ask("EXISTS", f"{name}:pending") == 0
        assert (await ranking.total(KEY, MAIN)) == 506


class TestLate:
    async def test_an_old_standing_does_not_bring_back_who_fell_below(self, ranking: Capped) -> None:
        fallen = {"p5": standing(10, version=3), "p0": standing(11, version=3)}
        await put(ranking, **fallen)
        for late in (standing(150, version=2), standing(99, version=1)):
            await ranking.cache.apply(KEY, MAIN, {"p5": late, "p0": late}, place=False)
        await check(ranking, SIX | fallen)

    async def test_one_who_falls_while_the_totals_are_asked_of_an_entry_is_not_let_in(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked, going = asyncio.Event(), asyncio.Event()
        of_players = ranking.totals.standings_of

        async def slow(key: TableKey, of: Board, players: Collection[str]) -> Mapping[str, Standing]:
            found = await of_players(key, of, players)
            asked.set()
            await going.wait()
            return found

        monkeypatch.setattr(ranking.totals, "standings_of", slow)
        entering = asyncio.create_task(put(ranking, p5=standing(150, version=2)))
        await asked.wait()
        await put(ranking, p5=standing(10, version=3))
        going.set()
        await entering
        await check(ranking, SIX | {"p5": standing(10, version=3)})

    async def test_one_who_is_removed_meanwhile_is_not_let_in(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_players = ranking.totals.standings_of

        async def and_then_removed(key: TableKey, of: Board, players: Collection[str]) -> Mapping[str, Standing]:
            found = await of_players(key, of, players)
            await ranking.remove(KEY, "p5", 2)
            return found

        monkeypatch.setattr(ranking.totals, "standings_of", and_then_removed)
        await put(ranking, p5=standing(150, version=2))
        await check(ranking, {player: one for player, one in SIX.items() if player != "p5"})


class TestMaking:
    async def test_what_happens_while_a_table_is_made_is_in_it(
        self, backend: CappedRankings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ranking = backend.ranking
        backend.given(KEY, MAIN, SIX)
        asked, going = asyncio.Event(), asyncio.Event()
        best = ranking.totals.top

        async def slow(key: TableKey, of: Board, most: int) -> Sequence[tuple[str, Standing]]:
            found = await best(key, of, most)
            asked.set()
            await going.wait()
            return found

        monkeypatch.setattr(ranking.totals, "top", slow)
        making = asyncio.create_task(ranking.cache.total(KEY, MAIN))
        await asked.wait()
        meanwhile = {
            "p0": standing(1, version=2),  # read as the best, and now the worst
            "p5": standing(150, version=2),
            "new": standing(120),
            "last": standing(2),
        }
        updating = asyncio.create_task(put(ranking, **meanwhile))
        late = {"p4": standing(500, version=0)}  # beyond, and it never was so good again
        await ranking.totals.apply(KEY, MAIN, meanwhile, place=False)
        being_late = asyncio.create_task(ranking.cache.apply(KEY, MAIN, late, place=False))
        going.set()
        await asyncio.gather(making, updating, being_late)
        await check(ranking, SIX | meanwhile)
        assert await kept(ranking) is not None

    async def test_a_table_that_is_short_is_filled_up_by_refit_and_answers_throughout(self, ranking: Capped) -> None:
        worse = {f"p{n}": standing(n, version=2) for n in range(3)}
        await put(ranking, p0=worse["p0"])
        epoch = (await ranking.cache.slice(KEY, MAIN, 0, 1)).position.epoch
        await ranking.cache.rebuild_if_resized(KEY, MAIN)
        assert (await kept(ranking), (await ranking.position(KEY, MAIN)).epoch) == (3, epoch)
        await put(ranking, **worse)
        await check(ranking, SIX | worse)
        assert await kept(ranking) == 1
        with pytest.raises(NotRanked):
            await ranking.cache.position(KEY, MAIN)  # word does not come of all of the top
        await ranking.cache.rebuild_if_resized(KEY, MAIN)
        await check(ranking, SIX | worse)
        assert await kept(ranking) == KEEP

    async def test_nothing_is_left_of_it(self, ranking: Capped) -> None:
        worse = {f"p{n}": standing(n, version=2) for n in range(6)}
        await put(ranking, **worse)
        assert await kept(ranking) == 0
        await check(ranking, worse)

    async def test_a_cap_may_be_set_changed_and_taken_away(self, backend: CappedRankings, server: Server) -> None:
        ranking = backend.ranking
        for first in range(0, 10_500, 500):
            some = {f"q{n:05}": standing(n) for n in range(first, first + 500)}
            await ranking.totals.apply(KEY, MAIN, some, place=False)
        async with connect(server.url) as client:
            for keep, left in ((0, None), (KEEP, KEEP), (100, 100), (90, 100), (0, None)):
                one = RedisRanking(client, backend.load, ranking.totals, keep)
                await one.total(KEY, MAIN)
                await one.rebuild_if_resized(KEY, MAIN)
                assert await one.cached_depth(KEY, MAIN) == left
                assert [row.player for row in (await one.slice(KEY, MAIN, 0, 3)).rows] == ["q10499", "q10498", "q10497"]
                await one.close()


class TestTotal:
    async def test_an_old_count_is_told_while_there_is_no_new_one(
        self, ranking: Capped, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> int:
            raise NotRanked("unavailable")

        monkeypatch.setattr(ranking.totals, "total", away)
        await ranking.totals.apply(KEY, MAIN, {"new": standing(1)}, place=False)
        found = await ranking.cache.slice(KEY, MAIN, 0, KEEP)
        assert (found.total, list(found.rows)) == (6, Plain(MAIN, SIX).ranked()[:KEEP])

    async def test_another_count_is_another_position(self, ranking: Capped) -> None:
        seen: list[Position] = [await ranking.position(KEY, MAIN)]
        for new in ({}, {"new": standing(1)}, {}):
            await put(ranking, **new)
            seen.append(await ranking.position(KEY, MAIN))
        assert seen[0] == seen[1] < seen[2] == seen[3]


class TestPast:
    async def test_a_table_that_is_past_is_read_from_the_totals_and_not_made_again(
        self, backend: CappedRankings, server: Server
    ) -> None:
        backend.given(KEY, MAIN, SIX)
        async with connect(server.url) as client:
            cache = RedisRanking(client, backend.load, backend.ranking.totals, 0, lambda _, __: True)
            past = Capped(cache, backend.ranking.totals)
            await check(past, SIX)
            with pytest.raises(NotRanked):
                await cache.apply(KEY, MAIN, SIX, place=True)
            assert server.ask("DBSIZE") == 0

    async def test_until_it_is_forgotten_it_is_kept_up_to_date(
        self, backend: CappedRankings, ranking: Capped, server: Server
    ) -> None:
        async with connect(server.url) as client:
            cache = RedisRanking(client, backend.load, ranking.totals, KEEP, lambda _, __: True)
            past = Capped(cache, ranking.totals)
            await put(past, p0=standing(NOON, version=2))
            assert await cache.cached_tables() == [KEY]
            await check(past, SIX | {"p0": standing(NOON, version=2)})
            await cache.evict(KEY)
            assert await cache.cached_tables() == []
            await check(past, SIX | {"p0": standing(NOON, version=2)})
            await cache.close()
