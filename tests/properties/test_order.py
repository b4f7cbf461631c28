"""Promise 2: scores are exact, and the order is total. The model is a plain sort."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.servers.redis import TIMEOUTS, emptied
from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import Load, MemoryRanking
from scoreboard.adapters.redis.connection import connect
from scoreboard.adapters.redis.ranking import RedisRanking
from scoreboard.application.ports.ranking import OrderKey, PlayerRank, RankedEntry, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, WIDE, board, submission, table
from tests.ports.capped import Capped, capped_rankings
from tests.ports.postgres_totals import postgres_rankings

EDGES = [-(2**63), -(2**63) + 1, -(2**53) - 1, -(2**53), 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
VALUES = st.integers(-2, 2) | st.sampled_from(EDGES)
PLAYERS = ["B", "a", "a0", "aa", "b", "é", "\ue000", "\uffff", "😀"]
UPDATES = st.lists(st.tuples(st.sampled_from(PLAYERS), VALUES, st.integers(0, 3)), max_size=30)
RULES = st.fixed_dictionaries(
    {
        "operator": st.sampled_from(["increment", "best", "latest"]),
        "direction": st.sampled_from(["descending", "ascending"]),
        "ties": st.sampled_from(["earliest", "latest", "shared"]),
        "numbering": st.sampled_from(["ordinal", "competition", "dense"]),
    }
)


class Plain:
    """A model of the declared order and numbering, simple and slow."""

    def __init__(self, of: Board, standings: dict[str, Standing]) -> None:
        self._board = of
        self._standings = standings
        self.players = sorted(standings, key=lambda player: self.key(player, *standings[player][:2]))

    def key(self, player: str, score: int, reached_at: int) -> tuple[int, int, bytes]:
        time = {"earliest": reached_at, "latest": -reached_at, "shared": 0}[self._board.ties]
        return -score if self._board.descending else score, time, player.encode()

    def ranked(self) -> list[RankedEntry]:
        return [
            RankedEntry(
                self._rank(place, player), player, self._standings[player].score, self._standings[player].reached_at
            )
            for place, player in enumerate(self.players)
        ]

    def get_rank(self, player: str) -> PlayerRank:
        place, better = self.players.index(player), self._better(player)
        score = self._standings[player].score
        ties = sum(one.score == score for one in self._standings.values()) - 1
        nearest = (min if self._board.descending else max)(better) if better else None
        worse = len(self.players) - len(better) - ties - 1
        return PlayerRank(place, self.ranked()[place], ties, worse, len(self.players), nearest)

    def after(self, player: str, score: int, reached_at: int) -> int:
        wanted = self.key(player, score, reached_at)
        return sum(self.key(one, *self._standings[one][:2]) <= wanted for one in self.players)

    def _better(self, player: str) -> list[int]:
        score = self._standings[player].score
        scores = [one.score for one in self._standings.values()]
        return [other for other in scores if (other > score if self._board.descending else other < score)]

    def _rank(self, place: int, player: str) -> int:
        better = self._better(player)
        return {"ordinal": place, "competition": len(better), "dense": len(set(better))}[self._board.numbering] + 1


Updates: TypeAlias = list[tuple[str, int, int]]


def update(of: Board, standings: dict[str, Standing], player: str, value: int, after: int) -> bool:
    try:
        standings[player] = fold(of, standings.get(player), submission(of, player, value, NOON + after))
    except Refused:
        return False
    return True


async def check_reads(ranking: Ranking, of: Board, standings: dict[str, Standing]) -> None:
    """Compare every read with the plain sort."""
    key, model = table(of), Plain(of, standings)
    ranked = model.ranked()
    assert (await ranking.slice(key, of, 0, 100)).rows == ranked
    assert (await ranking.slice(key, of, 2, 5)).rows == ranked[2:5]
    for player in PLAYERS:
        expected = model.get_rank(player) if player in standings else None
        assert await ranking.get_rank(key, of, player) == expected
        for score in (0, *EDGES):
            found = await ranking.slice_after(key, of, OrderKey(score, NOON + 1, player), 1)
            assert found.start == model.after(player, score, NOON + 1)
            assert list(found.rows) == ranked[found.start : found.start + 1]
    for place, player in enumerate(model.players):
        around = await ranking.around(key, of, player, 1)
        assert around is not None
        assert around.start == max(0, min(place - 1, len(ranked) - 3))
        assert list(around.rows) == ranked[around.start : around.start + 3]
    several = await ranking.get_ranks(key, of, PLAYERS)
    assert several == {player: model.get_rank(player) for player in standings}


@settings(deadline=None, max_examples=300)
@given(rules=RULES, before=UPDATES, during=UPDATES)
async def test_the_ranking_is_in_the_declared_order(rules: dict[str, Any], before: Updates, during: Updates) -> None:
    await hold_to_the_order(lambda load: MemoryRanking(load, "epoch", load_s=BOUND_S), rules, before, during)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(rules=RULES, before=UPDATES, during=UPDATES)
async def test_the_ranking_in_redis_is_in_the_declared_order(
    redis_url: str, rules: dict[str, Any], before: Updates, during: Updates
) -> None:
    async with connect(emptied(redis_url), TIMEOUTS) as client:
        await hold_to_the_order(lambda load: RedisRanking(client, load, timeouts=TIMEOUTS), rules, before, during)


async def hold_to_the_order(
    make: Callable[[Load], Ranking], rules: dict[str, Any], before: Updates, during: Updates
) -> None:
    of = board(**rules, **WIDE)
    key = table(of)
    standings: dict[str, Standing] = {}

    async def load(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        yield list(standings.items())

    for one in before:
        update(of, standings, *one)
    ranking = make(load)
    assert await ranking.total(key, of) == len(standings)
    for player, value, after in during:
        if update(of, standings, player, value, after):
            placed = await ranking.apply(key, of, {player: standings[player]}, place=True)
            assert placed[player].rank == Plain(of, standings).get_rank(player).entry.rank
    await check_reads(ranking, of, standings)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(rules=RULES, updates=UPDATES)
async def test_the_ranking_of_the_totals_in_postgresql_is_in_the_declared_order(
    rules: dict[str, Any], updates: list[tuple[str, int, int]]
) -> None:
    of = board(**rules, **WIDE)
    standings: dict[str, Standing] = {}
    for one in updates:
        update(of, standings, *one)
    async with postgres_rankings() as backend:
        placed = await backend.ranking.apply(table(of), of, standings, place=True)
        assert {player: one.rank for player, one in placed.items()} == {
            one.player: one.rank for one in Plain(of, standings).ranked()
        }
        await check_reads(backend.ranking, of, standings)


STEPS = st.lists(
    st.tuples(st.sampled_from(["update"] * 6 + ["repeat", "remove", "resize"]), st.sampled_from(PLAYERS), VALUES)
    | st.tuples(st.just("late"), st.sampled_from(PLAYERS), st.integers(0, 9)),
    max_size=40,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(rules=RULES, keep=st.integers(1, 6), before=UPDATES, steps=STEPS)
async def test_a_capped_ranking_is_in_the_declared_order_at_every_read(
    redis_url: str, rules: dict[str, Any], keep: int, before: Updates, steps: list[tuple[str, str, int]]
) -> None:
    """Include late and repeated updates, removals, and updates after a removal."""
    of = board(**rules, **WIDE)
    standings: dict[str, Standing] = {}
    for one in before:
        update(of, standings, *one)
    async with capped_rankings(redis_url, keep) as backend:
        await backend.ranking.totals.apply(table(of), of, standings, place=False)
        script = Script(backend.ranking, of, standings)
        for kind, player, value in steps:
            await script.step(kind, player, value)
            await script.check(player)
        await check_reads(backend.ranking, of, standings)


class Script:
    """The steps of a test on a capped ranking and its totals."""

    def __init__(self, ranking: Capped, of: Board, standings: dict[str, Standing]) -> None:
        self._ranking = ranking
        self._of = of
        self._key = table(of)
        self._standings = standings
        self._versions: dict[str, int] = {}
        self._past: dict[str, list[Standing]] = {player: [one] for player, one in standings.items()}

    async def step(self, kind: str, player: str, value: int) -> None:
        match kind:
            case "update" if self._updated(player, value):
                await self._apply(player, self._standings[player], self._ranking)
            case "repeat" if player in self._standings:
                await self._apply(player, self._standings[player], self._ranking)
            case "late" if player in self._past:
                late = self._past[player]
                await self._apply(player, late[value % len(late)], self._ranking.cache)
            case "remove" if player in self._standings:
                removed = self._standings.pop(player)
                self._versions[player] = removed.version
                await self._ranking.remove(self._key, player, removed.version)
            case "resize":
                await self._ranking.cache.rebuild_if_resized(self._key, self._of)
            case _:
                pass

    def _updated(self, player: str, value: int) -> bool:
        if not update(self._of, self._standings, player, value, len(self._past)):
            return False
        new = self._standings[player]
        if new.version <= self._versions.get(player, -1):
            new = self._standings[player] = new._replace(version=self._versions[player] + 1)
        self._past.setdefault(player, []).append(new)
        return True

    async def _apply(self, player: str, standing: Standing, to: Ranking) -> None:
        placed = await to.apply(self._key, self._of, {player: standing}, place=True)
        if player in placed and player in self._standings:
            expected = Plain(self._of, self._standings).get_rank(player).entry.rank
            assert placed[player].rank == expected

    async def check(self, player: str) -> None:
        """Compare some reads inside and outside the cached part."""
        model = Plain(self._of, self._standings)
        ranked = model.ranked()
        expected = model.get_rank(player) if player in self._standings else None
        assert await self._ranking.get_rank(self._key, self._of, player) == expected
        for start, stop in ((0, 1), (0, 3), (2, 4), (0, 100)):
            found = await self._ranking.slice(self._key, self._of, start, stop)
            assert (found.total, list(found.rows)) == (len(ranked), ranked[start:stop])
        around = await self._ranking.around(self._key, self._of, player, 1)
        if around is not None:
            assert list(around.rows) == ranked[around.start : around.start + 3]
        several = await self._ranking.get_ranks(self._key, self._of, model.players[:2])
        assert several == {one: model.get_rank(one) for one in model.players[:2]}
