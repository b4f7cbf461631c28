"""The rank index compared with the simplest model: a sorted list."""

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scoreboard.adapters.memory.player_slots import PlayerSlots
from scoreboard.adapters.memory.rank_index import RankIndex

Ties = Literal["earliest", "latest", "shared"]
Standing = tuple[int, int, int]  # score, reached_at, version

LOW, HIGH = -(2**63), 2**63 - 1
POLICIES: list[Ties] = ["earliest", "latest", "shared"]
# A few close values make ties. The others are edge cases of the arithmetic.
NUMBERS = st.one_of(
    st.integers(-2, 2), st.sampled_from([LOW, LOW + 1, HIGH - 1, HIGH, 2**53, 2**53 + 1]), st.integers(LOW, HIGH)
)
# Prefixes of each other, characters of one to four bytes, and zero bytes, which `seek` uses internally.
IDS = [*(a + b for a in "aZé\uffff\U0001f600\0" for b in ("", "\0", "a", "\x7f", "\U0010ffff")), "\ue000" * 50]
PLAYERS = st.integers(0, len(IDS) - 1)


class Model:
    """A model of the index, simple and slow."""

    def __init__(self, descending: bool, ties: Ties) -> None:
        self.descending = descending
        self.ties = ties
        self.standings: dict[int, Standing] = {}
        self.versions: dict[int, int] = {}

    def put(self, slot: int, score: int, reached_at: int, version: int) -> bool:
        if version <= self.versions.get(slot, -1):
            return False
        self.versions[slot] = version
        self.standings[slot] = score, reached_at, version
        return True

    def remove(self, slot: int, version: int) -> bool:
        if version <= self.versions.get(slot, -1):
            return False
        self.versions[slot] = version
        return self.standings.pop(slot, None) is not None

    def key(self, score: int, reached_at: int, player: str) -> tuple[int, int, bytes]:
        time = {"earliest": reached_at, "latest": -reached_at, "shared": 0}[self.ties]
        return -score if self.descending else score, time, player.encode()

    def rows(self) -> list[tuple[tuple[int, int, bytes], int]]:
        return sorted((self.key(score, at, IDS[slot]), slot) for slot, (score, at, _) in self.standings.items())

    def better(self, score: int) -> list[int]:
        scores = [standing[0] for standing in self.standings.values()]
        return [other for other in scores if (other > score if self.descending else other < score)]


class RankIndexMachine(RuleBasedStateMachine):
    @initialize(descending=st.booleans(), ties=st.sampled_from(POLICIES), block_rows=st.integers(4, 9))
    def start(self, descending: bool, ties: Ties, block_rows: int) -> None:
        self.players = PlayerSlots()
        self.clock = 0
        assert [self.players.slot(player) for player in IDS] == list(range(len(IDS)))
        self.index = RankIndex(self.players, descending=descending, ties=ties, dense=True, block_rows=block_rows)
        self.model = Model(descending, ties)

    def version(self, age: int) -> int:
        self.clock += 1
        return max(self.clock - age, 0)

    @rule(slot=PLAYERS, score=NUMBERS, at=NUMBERS, age=st.sampled_from([0, 0, 0, 5]))
    def put(self, slot: int, score: int, at: int, age: int) -> None:
        version = self.version(age)
        assert self.index.put(slot, score, at, version) == self.model.put(slot, score, at, version)

    @rule(first=PLAYERS, count=st.integers(1, 20), score=NUMBERS, at=NUMBERS, step=st.integers(0, 1))
    def put_many(self, first: int, count: int, score: int, at: int, step: int) -> None:
        for n, slot in enumerate(range(first, min(first + count, len(IDS)))):
            self.put(slot, max(LOW, min(HIGH, score + n * step)), at, 0)

    @rule(slot=PLAYERS, age=st.sampled_from([0, 0, 5]))
    def remove(self, slot: int, age: int) -> None:
        version = self.version(age)
        assert self.index.remove(slot, version) == self.model.remove(slot, version)

    @rule(first=PLAYERS, count=st.integers(1, 20))
    def remove_many(self, first: int, count: int) -> None:
        for slot in range(first, min(first + count, len(IDS))):
            self.remove(slot, 0)

    @rule(start=st.integers(-3, 40), stop=st.integers(-3, 40))
    def slice(self, start: int, stop: int) -> None:
        order = [slot for _, slot in self.model.rows()]
        assert self.index.slice(start, stop) == order[max(start, 0) : max(stop, 0)]

    @rule(score=NUMBERS)
    def count(self, score: int) -> None:
        better = self.model.better(score)
        equal = sum(standing[0] == score for standing in self.model.standings.values())
        assert self.index.better(score) == len(better)
        assert self.index.better_scores(score) == len(set(better))
        assert self.index.worse(score) == len(self.model.standings) - len(better) - equal

    @rule(score=NUMBERS, at=NUMBERS, player=st.one_of(st.sampled_from(IDS), st.text(max_size=3)))
    def seek(self, score: int, at: int, player: str) -> None:
        wanted = self.model.key(score, at, player)
        assert self.index.seek(score, at, player) == sum(key <= wanted for key, _ in self.model.rows())

    @rule(slot=PLAYERS)
    def read(self, slot: int) -> None:
        order = [slot for _, slot in self.model.rows()]
        assert self.index.get(slot) == self.model.standings.get(slot)
        if slot in order:
            assert self.index.position(slot) == order.index(slot)
            assert self.index.position(slot) == order.index(slot)  # cached
        else:
            with pytest.raises(KeyError):
                self.index.position(slot)

    @invariant()
    def equals_the_model(self) -> None:
        order = [slot for _, slot in self.model.rows()]
        assert len(self.index) == len(order)
        assert self.index.slice(0, len(IDS)) == order
        for position, slot in enumerate(order):
            score, at, _ = self.model.standings[slot]
            assert slot in self.index
            assert self.index.position(slot) == position
            assert self.index.better(score) == len(self.model.better(score))
            assert self.index.better_scores(score) == len(set(self.model.better(score)))
            assert self.index.seek(score, at, IDS[slot]) == position + 1


RankIndexMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRankIndexMachine = RankIndexMachine.TestCase


@pytest.mark.parametrize("ties", POLICIES)
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("dense", [True, False])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(PLAYERS, NUMBERS, NUMBERS, st.integers(0, 3)), max_size=60), block=st.integers(4, 9))
def test_load_and_put_agree_with_a_sorted_list(
    dense: bool, descending: bool, ties: Ties, rows: list[tuple[int, int, int, int]], block: int
) -> None:
    players = PlayerSlots()
    for player in IDS:
        players.slot(player)
    loaded = RankIndex(players, descending=descending, ties=ties, dense=dense, block_rows=block)
    filled = RankIndex(players, descending=descending, ties=ties, dense=dense, block_rows=block)
    model = Model(descending, ties)

    loaded.load(iter(rows))
    for row in rows:
        assert filled.put(*row) == model.put(*row)

    order = [slot for _, slot in model.rows()]
    for index in (loaded, filled):
        assert index.slice(0, len(IDS)) == order
        assert [index.position(slot) for slot in order] == list(range(len(order)))
        assert [index.get(slot) for slot in range(len(IDS))] == [model.standings.get(n) for n in range(len(IDS))]
        for score, _, _ in model.standings.values() if dense else ():
            assert index.better_scores(score) == len(set(model.better(score)))


@settings(max_examples=100, deadline=None)
@given(ids=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), max_size=200))
def test_slots_are_dense_and_in_order_of_arrival(ids: list[str]) -> None:
    players = PlayerSlots()
    model: dict[str, int] = {}
    for player in ids:
        assert players.find(player) == model.get(player, -1)
        assert players.slot(player) == model.setdefault(player, len(model))
    assert len(players) == len(model)
    for player, slot in model.items():
        assert players.find(player) == players.slot(player) == slot
        assert players.player(slot) == player
