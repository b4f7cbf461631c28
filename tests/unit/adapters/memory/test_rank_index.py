import random
import struct
from typing import Literal

import pytest

from scoreboard.adapters.memory.player_slots import PlayerSlots
from scoreboard.adapters.memory.rank_index import RankIndex

Ties = Literal["earliest", "latest", "shared"]

LOW, HIGH = -(2**63), 2**63 - 1


def slots_of(*ids: str) -> PlayerSlots:
    players = PlayerSlots()
    for player in ids:
        players.slot(player)
    return players


def index_of(
    *standings: tuple[int, int], descending: bool = True, ties: Ties = "earliest", dense: bool = False
) -> RankIndex:
    """Index (score, reached_at) of players a, b, c, ..., in blocks of at most four."""
    players = slots_of(*(chr(ord("a") + n) for n in range(max(len(standings), 26))))
    index = RankIndex(players, descending=descending, ties=ties, dense=dense, block_rows=4)
    for slot, (score, reached_at) in enumerate(standings):
        assert index.put(slot, score, reached_at, 0)
    return index


def order(index: RankIndex) -> list[int]:
    return index.slice(0, len(index))


class TestPlayerSlots:
    def test_counts_from_zero_in_order_of_arrival(self) -> None:
        players = PlayerSlots()
        assert [players.slot(player) for player in ("b", "a", "b", "c")] == [0, 1, 0, 2]
        assert [players.player(slot) for slot in range(3)] == ["b", "a", "c"]
        assert len(players) == 3

    def test_find_makes_no_slot(self) -> None:
        players = PlayerSlots()
        assert players.find("a") == -1
        assert len(players) == 0

    @pytest.mark.parametrize("slot", [-1, 1])
    def test_an_unused_slot_has_no_player(self, slot: int) -> None:
        with pytest.raises(IndexError):
            slots_of("a").player(slot)

    def test_similar_ids_are_different_players(self) -> None:
        ids = ["a", "a\0", "\0a", "aa", "A", "é", "e\u0301", "\U0001f600", "\U0001f600" * 50]
        players = slots_of(*ids)
        assert [players.find(player) for player in ids] == list(range(len(ids)))
        assert [players.player(slot) for slot in range(len(ids))] == ids

    def test_finds_all_of_many(self) -> None:
        ids = [f"player-{n}" for n in range(5000)]
        players = slots_of(*ids)
        assert [players.find(player) for player in ids] == list(range(5000))
        assert players.find("player-5000") == -1


class TestOrder:
    @pytest.mark.parametrize(
        ("descending", "ties", "expected"),
        [
            (True, "earliest", [3, 1, 0, 2]),
            (True, "latest", [3, 0, 2, 1]),
            (True, "shared", [3, 0, 1, 2]),
            (False, "earliest", [1, 0, 2, 3]),
            (False, "latest", [0, 2, 1, 3]),
            (False, "shared", [0, 1, 2, 3]),
        ],
    )
    def test_score_then_time_then_player(self, descending: bool, ties: Ties, expected: list[int]) -> None:
        index = index_of((10, 7), (10, 5), (10, 7), (20, 9), descending=descending, ties=ties)
        assert order(index) == expected
        assert [index.position(slot) for slot in expected] == [0, 1, 2, 3]

    @pytest.mark.parametrize("descending", [True, False])
    def test_is_exact_at_the_ends_of_64_bits_and_beyond_doubles(self, descending: bool) -> None:
        scores = [LOW, LOW + 1, -1, 0, 1, 2**53, 2**53 + 1, HIGH - 1, HIGH]
        index = index_of(*((score, 0) for score in scores), descending=descending)
        best_first = sorted(range(len(scores)), key=scores.__getitem__, reverse=descending)
        assert order(index) == best_first
        for position, slot in enumerate(best_first):
            assert index.get(slot) == (scores[slot], 0, 0)
            assert index.better(scores[slot]) == position
            assert index.worse(scores[slot]) == len(scores) - 1 - position

    @pytest.mark.parametrize("ties", ["earliest", "latest"])
    def test_times_are_exact_at_the_ends_of_64_bits(self, ties: Ties) -> None:
        times = [LOW, LOW + 1, -1, 0, 2**53, 2**53 + 1, HIGH - 1, HIGH]
        index = index_of(*((1, time) for time in times), ties=ties)
        assert order(index) == sorted(range(len(times)), reverse=ties == "latest")
        assert [index.get(slot) for slot in range(len(times))] == [(1, time, 0) for time in times]

    def test_players_are_in_the_order_of_their_bytes(self) -> None:
        # UTF-16 would have the last two the other way round.
        ids = ["\0", "A", "Z", "Z\0", "ZZ", "a", "é", "\uffff", "\U00010000"]
        index = RankIndex(slots_of(*reversed(ids)), descending=True, ties="shared", block_rows=4)
        for slot in range(len(ids)):
            index.put(slot, 1, slot, 0)
        assert order(index) == list(reversed(range(len(ids))))

    def test_shared_ties_keep_the_time(self) -> None:
        index = index_of((1, 5), (1, LOW), ties="shared")
        assert index.put(0, 1, 9, 1)
        assert index.get(0) == (1, 9, 1)
        assert index.get(1) == (1, LOW, 0)
        assert order(index) == [0, 1]

    def test_finds_a_slot_whose_bytes_also_straddle_two_others(self) -> None:
        # In little-endian bytes slot 1 is 01 00 00 00, which also begins one byte into 256, and so on.
        index = RankIndex(slots_of(*(f"{n:05}" for n in range(70_000))), descending=True, ties="shared")
        slots = [0, 1, 255, 256, 257, 65_536, 65_537, 65_792]
        for slot in reversed(slots):
            index.put(slot, -slot if slot != 1 else -(10**6), 0, 0)
        expected = [0, 255, 256, 257, 65_536, 65_537, 65_792, 1]
        assert order(index) == expected
        assert [index.position(slot) for slot in expected] == list(range(len(expected)))


class TestCounts:
    def test_ties_share_a_rank_and_leave_a_gap_unless_dense(self) -> None:
        index = index_of((9, 1), (9, 2), (9, 3), (9, 4), (9, 5), (7, 1), (3, 1), (3, 2), dense=True)
        assert [index.better(score) for score in (10, 9, 8, 7, 3, 2)] == [0, 0, 5, 5, 6, 8]
        assert [index.worse(score) for score in (10, 9, 8, 7, 3, 2)] == [8, 3, 3, 2, 0, 0]
        assert [index.better_scores(score) for score in (10, 9, 8, 7, 3, 2)] == [0, 0, 1, 1, 2, 3]

    def test_a_distinct_score_is_removed_with_its_last_standing(self) -> None:
        index = index_of((9, 1), (9, 2), (3, 1), dense=True)
        index.remove(0, 1)
        assert index.better_scores(3) == 1
        index.put(1, 3, 9, 1)
        assert index.better_scores(3) == 0
        index.put(1, 4, 9, 2)
        assert index.better_scores(3) == 1

    def test_distinct_scores_are_kept_only_if_requested(self) -> None:
        with pytest.raises(ValueError, match="distinct"):
            index_of((1, 1)).better_scores(1)


class TestVersions:
    def test_a_put_that_is_not_newer_changes_nothing(self) -> None:
        index = index_of()
        assert index.put(0, 5, 5, 10)
        assert not index.put(0, 6, 6, 10)
        assert not index.put(0, 6, 6, 9)
        assert index.get(0) == (5, 5, 10)
        assert index.put(0, 5, 5, 11)
        assert index.get(0) == (5, 5, 11)

    def test_remove_blocks_older_puts(self) -> None:
        index = index_of((5, 5), (4, 4))
        assert index.remove(0, 7)
        assert not index.put(0, 6, 6, 7)
        assert 0 not in index
        assert index.get(0) is None
        assert order(index) == [1]
        assert index.put(0, 6, 6, 8)
        assert order(index) == [0, 1]

    def test_a_remove_that_is_not_newer_changes_nothing(self) -> None:
        index = index_of()
        index.put(0, 5, 5, 7)
        assert not index.remove(0, 7)
        assert 0 in index

    def test_a_remove_ahead_of_its_put_is_remembered(self) -> None:
        index = index_of()
        assert not index.remove(0, 7)
        assert not index.put(0, 5, 5, 6)
        assert index.put(0, 5, 5, 8)

    def test_a_number_beyond_64_bits_is_refused_without_a_change(self) -> None:
        index = index_of((5, 5))
        for score, reached_at in ((HIGH + 1, 0), (0, LOW - 1)):
            with pytest.raises(struct.error):
                index.put(0, score, reached_at, 1)
        assert index.get(0) == (5, 5, 0)
        assert index.position(0) == 0

    @pytest.mark.parametrize("slot", [-1, 26])
    def test_an_unused_slot_is_refused(self, slot: int) -> None:
        index = index_of()
        with pytest.raises(IndexError):
            index.put(slot, 1, 1, 1)
        with pytest.raises(IndexError):
            index.remove(slot, 1)
        with pytest.raises(IndexError):
            index.load([(slot, 1, 1, 1)])
        assert slot not in index
        with pytest.raises(KeyError):
            index.position(slot)


class TestSlice:
    def test_is_cut_at_both_ends(self) -> None:
        index = index_of(*((-n, 0) for n in range(10)))
        assert index.slice(-5, 2) == [0, 1]
        assert index.slice(8, 99) == [8, 9]
        assert index.slice(3, 7) == [3, 4, 5, 6]
        for start, stop in ((10, 12), (99, 100), (5, 5), (6, 2), (0, 0), (-3, -1)):
            assert index.slice(start, stop) == []


class TestSeek:
    def test_returns_the_position_after_the_key(self) -> None:
        index = index_of((9, 1), (9, 1), (9, 2), (7, 1))
        assert index.seek(9, 1, "a") == 1
        assert index.seek(9, 1, "b") == 2
        assert index.seek(9, 2, "c") == 3
        assert index.seek(7, 1, "d") == 4

    def test_the_key_may_be_absent(self) -> None:
        index = index_of((9, 1), (9, 1), (9, 2), (7, 1))
        assert index.seek(HIGH, LOW, "a") == 0
        assert index.seek(9, 0, "z") == 0
        assert index.seek(9, 1, "A") == 0
        assert index.seek(9, 1, "aa") == 1
        assert index.seek(8, 0, "a") == 3
        assert index.seek(LOW, HIGH, "z") == 4

    def test_an_id_extended_by_a_zero_byte_comes_after(self) -> None:
        index = RankIndex(slots_of("a", "a\0", "a\0\0"), descending=True, ties="shared")
        for slot in range(3):
            index.put(slot, 1, 0, 0)
        assert [index.seek(1, 0, player) for player in ("a", "a\0", "a\0\0")] == [1, 2, 3]

    def test_time_does_not_matter_where_ties_are_shared(self) -> None:
        index = index_of((9, 1), (9, 2), ties="shared")
        assert index.seek(9, HIGH, "a") == index.seek(9, LOW, "a") == 1


class TestEmpty:
    @pytest.mark.parametrize("emptied", [False, True])
    def test_an_empty_index_is_readable(self, emptied: bool) -> None:
        index = index_of(*((n, n) for n in range(26 if emptied else 0)), dense=True)
        for slot in range(len(index)):
            assert index.remove(slot, 1)
        assert len(index) == 0
        assert index.slice(0, 10) == []
        assert index.better(0) == index.worse(0) == index.better_scores(0) == index.seek(0, 0, "a") == 0
        assert 0 not in index
        assert index.get(0) is None
        with pytest.raises(KeyError):
            index.position(0)
        assert index.put(3, 1, 1, 2)
        assert index.slice(0, 10) == [3]


class TestLoad:
    def test_a_load_equals_a_put_of_each(self) -> None:
        rows = [(0, 5, 1, 3), (1, 5, 1, 0), (0, 9, 9, 2), (2, 7, 0, 0), (1, 1, 1, 1)]
        index = index_of(dense=True)
        index.load(rows)
        assert order(index) == [2, 0, 1]
        assert [index.get(slot) for slot in range(4)] == [(5, 1, 3), (1, 1, 1), (7, 0, 0), None]
        assert index.better_scores(1) == 2

    def test_an_index_with_standings_is_refused(self) -> None:
        index = index_of((1, 1))
        with pytest.raises(ValueError, match="without standings"):
            index.load([(1, 1, 1, 1)])

    def test_removed_standings_stay_removed(self) -> None:
        index = index_of((1, 1))
        index.remove(0, 5)
        index.load([(0, 1, 1, 5), (1, 1, 1, 1)])
        assert order(index) == [1]

    def test_an_empty_load(self) -> None:
        index = index_of(dense=True)
        index.load([])
        assert order(index) == []
        assert index.put(0, 1, 1, 1)
        assert order(index) == [0]


class TestManyBlocks:
    """Several groups of blocks, while standings are added and removed."""

    @pytest.mark.parametrize("loaded", [True, False])
    @pytest.mark.parametrize("scores", [1, 20, 10**6])
    @pytest.mark.parametrize("ties", ["earliest", "shared"])
    def test_agree_with_a_sorted_list(self, ties: Ties, scores: int, loaded: bool) -> None:
        rng = random.Random(scores)
        count = 1500
        ids = [f"{rng.getrandbits(32):08x}" for _ in range(count)]
        index = RankIndex(slots_of(*ids), descending=True, ties=ties, dense=True, block_rows=4)
        standings = {slot: (rng.randrange(scores), rng.randrange(50)) for slot in range(count)}
        if loaded:
            index.load((slot, *standing, 0) for slot, standing in standings.items())
        else:
            for slot, standing in standings.items():
                index.put(slot, *standing, 0)
        self.check(index, ids, standings, ties)

        for version in range(1, 3000):
            slot = rng.randrange(count)
            standings[slot] = rng.randrange(scores), rng.randrange(50)
            assert index.put(slot, *standings[slot], version)
        self.check(index, ids, standings, ties)

        for slot in rng.sample(range(count), count - 30):
            del standings[slot]
            assert index.remove(slot, 3000)
        self.check(index, ids, standings, ties)

    @staticmethod
    def check(index: RankIndex, ids: list[str], standings: dict[int, tuple[int, int]], ties: Ties) -> None:
        shared = ties == "shared"
        expected = sorted(standings, key=lambda n: (-standings[n][0], 0 if shared else standings[n][1], ids[n]))
        assert order(index) == expected
        assert [index.position(slot) for slot in expected] == list(range(len(expected)))
        better, distinct, last = 0, 0, standings[expected[0]][0]
        for position, slot in enumerate(expected):
            score, reached_at = standings[slot]
            if score != last:
                better, distinct, last = position, distinct + 1, score
            assert index.better(score) == better
            assert index.better_scores(score) == distinct
            assert index.seek(score, reached_at, ids[slot]) == position + 1
            assert index.slice(position, position + 9) == expected[position : position + 9]
