from collections.abc import Mapping
from typing import Any

import pytest

from scoreboard.application.ports.ranking import OrderKey, PlayerRank, RankChange, RankedEntry
from scoreboard.domain.board import Board, Numbering
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, WIDE, board, standing, table
from tests.ports.backends import RankingBackend

MAIN = board()
KEY = table(MAIN)


async def put(
    ranks: RankingBackend, of: Board = MAIN, *, region: str = "", **standings: Standing
) -> dict[str, RankChange]:
    return await put_all(ranks, of, standings, region)


async def put_all(
    ranks: RankingBackend, of: Board, standings: Mapping[str, Standing], region: str = ""
) -> dict[str, RankChange]:
    return dict(await ranks.ranking.apply(table(of, region=region), of, standings, place=True))


async def rows(ranks: RankingBackend, of: Board = MAIN, key: TableKey = KEY) -> list[tuple[int, str, int]]:
    return [(one.rank, one.player, one.score) for one in (await ranks.ranking.slice(key, of, 0, 1_000)).rows]


async def start_after(ranks: RankingBackend, key: OrderKey) -> int:
    return (await ranks.ranking.slice_after(KEY, MAIN, key, 1)).start


class TestOrder:
    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            ({}, "dbac"),
            ({"ties": "latest"}, "dcab"),
            ({"ties": "shared"}, "dabc"),
            ({"direction": "ascending"}, "bacd"),
            ({"direction": "ascending", "ties": "latest"}, "cabd"),
        ],
    )
    async def test_the_order_is_by_score_then_time_then_player(
        self, ranks: RankingBackend, rules: dict[str, Any], expected: str
    ) -> None:
        of = board(**rules)
        given = {"a": standing(1, NOON + 1), "b": standing(1, NOON), "c": standing(1, NOON + 2), "d": standing(2)}
        await put_all(ranks, of, given)
        assert "".join(player for _, player, _ in await rows(ranks, of)) == expected

    async def test_players_are_in_the_order_of_their_utf_8(self, ranks: RankingBackend) -> None:
        players = ["B", "a", "aa", "b", "é", "\uffff", "😀"]
        await put_all(ranks, MAIN, {player: standing(1) for player in players[::-1]})
        assert [player for _, player, _ in await rows(ranks)] == players

    async def test_64_bit_scores_are_exact(self, ranks: RankingBackend) -> None:
        of = board(**WIDE)
        scores = [2**63 - 1, 2**63 - 2, 2**53 + 1, 2**53, 2**53 - 1, 0, -1, -(2**53) - 1, -(2**63) + 1, -(2**63)]
        await put_all(ranks, of, {f"p{score}": standing(score) for score in scores})
        assert [score for _, _, score in await rows(ranks, of)] == scores

    @pytest.mark.parametrize(
        ("numbering", "expected"),
        [("ordinal", [1, 2, 3, 4]), ("competition", [1, 2, 2, 4]), ("dense", [1, 2, 2, 3])],
    )
    async def test_all_ranks_have_the_numbering_of_the_board(
        self, ranks: RankingBackend, numbering: Numbering, expected: list[int]
    ) -> None:
        of = board(numbering=numbering)
        given = {"a": standing(9), "b": standing(5), "c": standing(5), "d": standing(1)}
        await put_all(ranks, of, given)
        placed = await put_all(ranks, of, given)  # again, since ranks depend on the others
        assert [rank for rank, _, _ in await rows(ranks, of)] == expected
        assert [placed[player].rank for player in "abcd"] == expected
        assert [one.rank for one in (await ranks.ranking.slice(KEY, of, 1, 3)).rows] == expected[1:3]
        found = [await ranks.ranking.get_rank(KEY, of, player) for player in "abcd"]
        assert [one.entry.rank for one in found if one is not None] == expected


class TestApply:
    async def test_apply_returns_the_new_and_the_previous_ranks(self, ranks: RankingBackend) -> None:
        assert await put(ranks, ann=standing(5)) == {"ann": RankChange(1, None)}
        assert await put(ranks, bob=standing(9)) == {"bob": RankChange(1, None)}
        before = 2 if ranks.tells_before else None
        assert await put(ranks, ann=standing(10, version=2)) == {"ann": RankChange(1, before)}

    async def test_apply_returns_no_ranks_without_place(self, ranks: RankingBackend) -> None:
        assert await ranks.ranking.apply(KEY, MAIN, {"ann": standing(5)}, place=False) == {}
        assert await rows(ranks) == [(1, "ann", 5)]

    @pytest.mark.parametrize("version", [1, 2])
    async def test_an_older_standing_is_ignored_and_the_rank_returned(
        self, ranks: RankingBackend, version: int
    ) -> None:
        await put(ranks, ann=standing(5, version=2), bob=standing(9))
        before = await ranks.ranking.position(KEY, MAIN)
        assert (await put(ranks, ann=standing(50, version=version)))["ann"].rank == 2
        assert await rows(ranks) == [(1, "bob", 9), (2, "ann", 5)]
        assert (await ranks.ranking.position(KEY, MAIN)).epoch == before.epoch

    async def test_repeats_and_reordering_are_harmless(self, ranks: RankingBackend) -> None:
        steps = [standing(n, NOON + n, version=n) for n in range(1, 6)]
        for n in (3, 1, 5, 2, 4, 5, 1):
            await put(ranks, ann=steps[n - 1])
        assert await rows(ranks) == [(1, "ann", 5)]

    async def test_the_totals_are_ranked_without_apply(self, ranks: RankingBackend) -> None:
        ranks.given(KEY, MAIN, {"ann": standing(5), "bob": standing(9)})
        assert await rows(ranks) == [(1, "bob", 9), (2, "ann", 5)]

    async def test_tables_are_independent(self, ranks: RankingBackend) -> None:
        other = table(MAIN, region="eu")
        await put(ranks, ann=standing(5))
        await put(ranks, region="eu", ann=standing(3))
        assert await rows(ranks) == [(1, "ann", 5)]
        assert await rows(ranks, key=other) == [(1, "ann", 3)]


class TestReads:
    async def test_a_table_without_standings_is_ranked_and_empty(self, ranks: RankingBackend) -> None:
        assert await rows(ranks) == []
        assert await ranks.ranking.total(KEY, MAIN) == 0
        assert await ranks.ranking.get_rank(KEY, MAIN, "ann") is None
        assert await start_after(ranks, OrderKey(1, NOON, "ann")) == 0

    async def test_a_rank_has_ties_worse_and_the_next_score(self, ranks: RankingBackend) -> None:
        await put(ranks, a=standing(9), b=standing(5), c=standing(5), d=standing(5), e=standing(1))
        assert await ranks.ranking.get_rank(KEY, MAIN, "c") == PlayerRank(2, RankedEntry(3, "c", 5, NOON), 2, 1, 5, 9)
        assert await ranks.ranking.get_rank(KEY, MAIN, "a") == PlayerRank(
            0, RankedEntry(1, "a", 9, NOON), 0, 4, 5, None
        )

    async def test_the_next_score_of_an_ascending_board_is_lower(self, ranks: RankingBackend) -> None:
        of = board(direction="ascending")
        await put(ranks, of, a=standing(9), b=standing(5), c=standing(1))
        assert await ranks.ranking.get_rank(KEY, of, "b") == PlayerRank(1, RankedEntry(2, "b", 5, NOON), 0, 1, 3, 1)

    @pytest.mark.parametrize(
        ("start", "stop", "players"), [(0, 2, "ab"), (1, 3, "bc"), (2, 9, "c"), (3, 9, ""), (1, 1, "")]
    )
    async def test_a_slice_is_cut_at_the_end_of_the_table(
        self, ranks: RankingBackend, start: int, stop: int, players: str
    ) -> None:
        await put(ranks, a=standing(3), b=standing(2), c=standing(1))
        found = await ranks.ranking.slice(KEY, MAIN, start, stop)
        assert [(one.rank, one.player) for one in found.rows] == list(enumerate(players, start + 1))
        assert (found.start, found.total) == (start, 3)

    @pytest.mark.parametrize(
        ("player", "radius", "start", "players"),
        [("a", 1, 0, "abc"), ("b", 1, 0, "abc"), ("c", 1, 1, "bcd"), ("e", 1, 2, "cde"), ("d", 9, 0, "abcde")],
    )
    async def test_around_is_shifted_at_the_top_and_the_bottom_and_not_cut(
        self, ranks: RankingBackend, player: str, radius: int, start: int, players: str
    ) -> None:
        await put_all(ranks, MAIN, {name: standing(9 - n) for n, name in enumerate("abcde")})
        found = await ranks.ranking.around(KEY, MAIN, player, radius)
        assert found is not None
        assert [(one.rank, one.player) for one in found.rows] == list(enumerate(players, start + 1))
        assert (found.start, found.total) == (start, 5)
        assert await ranks.ranking.around(KEY, MAIN, "nobody", radius) is None

    async def test_several_ranks_are_those_of_players_with_a_standing(self, ranks: RankingBackend) -> None:
        await put(ranks, a=standing(9), b=standing(5), c=standing(5))
        found = await ranks.ranking.get_ranks(KEY, MAIN, ["c", "nobody", "a"])
        assert found == {player: await ranks.ranking.get_rank(KEY, MAIN, player) for player in "ac"}

    @pytest.mark.parametrize("player", ["", "\0", "a\0"])
    async def test_an_impossible_player_id_has_no_standing(self, ranks: RankingBackend, player: str) -> None:
        await put(ranks, a=standing(3))
        assert await ranks.ranking.get_rank(KEY, MAIN, player) is None
        assert await ranks.ranking.around(KEY, MAIN, player, 1) is None
        assert list(await ranks.ranking.get_ranks(KEY, MAIN, [player, "a"])) == ["a"]

    async def test_a_page_starts_after_a_key(self, ranks: RankingBackend) -> None:
        of = board(top_n=2)
        await put(ranks, of, a=standing(3), b=standing(2), c=standing(1))
        found = await ranks.ranking.slice_after(KEY, of, OrderKey(3, NOON, "a"), 1)
        assert [(one.rank, one.player) for one in found.rows] == [(2, "b")]
        assert (found.start, found.total) == (1, 3)
        assert found.position == await ranks.ranking.position(KEY, of)

    async def test_a_page_may_start_after_a_key_without_a_standing(self, ranks: RankingBackend) -> None:
        await put(ranks, a=standing(9), c=standing(5), e=standing(5))
        keys = [(10, "z", 0), (9, "a", 1), (9, "b", 1), (5, "b", 1), (5, "c", 2), (5, "d", 2), (5, "e", 3), (0, "a", 3)]
        for score, player, place in keys:
            assert await start_after(ranks, OrderKey(score, NOON, player)) == place


class TestPositions:
    async def test_a_position_grows_with_each_change_only(self, ranks: RankingBackend) -> None:
        seen = []
        for n in range(1, 4):
            await put(ranks, ann=standing(n, version=n))
            seen.append(await ranks.ranking.position(KEY, MAIN))
            await rows(ranks)
            assert await ranks.ranking.position(KEY, MAIN) == seen[-1]
        assert seen == sorted(set(seen))
        assert len({one.epoch for one in seen}) == 1
        await ranks.ranking.remove(KEY, "ann", 3)
        assert await ranks.ranking.position(KEY, MAIN) > seen[-1]


class TestRemoval:
    async def test_after_a_removal_the_others_move_up(self, ranks: RankingBackend) -> None:
        await put(ranks, ann=standing(9, version=3), bob=standing(5))
        await ranks.ranking.remove(KEY, "ann", 3)
        assert await rows(ranks) == [(1, "bob", 5)]
        assert await ranks.ranking.get_rank(KEY, MAIN, "ann") is None
        assert await ranks.ranking.total(KEY, MAIN) == 1

    async def test_an_update_older_than_the_removal_is_ignored(self, ranks: RankingBackend) -> None:
        await put(ranks, ann=standing(9, version=3))
        await ranks.ranking.remove(KEY, "ann", 3)
        for version in (2, 3):
            await ranks.ranking.apply(KEY, MAIN, {"ann": standing(8, version=version)}, place=False)
        assert await rows(ranks) == []

    async def test_a_removal_leaves_a_newer_standing(self, ranks: RankingBackend) -> None:
        await put(ranks, ann=standing(9, version=4))
        await ranks.ranking.remove(KEY, "ann", 3)
        assert await rows(ranks) == [(1, "ann", 9)]

    async def test_a_newer_standing_after_a_removal_is_ranked(self, ranks: RankingBackend) -> None:
        await put(ranks, ann=standing(9, version=3))
        await ranks.ranking.remove(KEY, "ann", 3)
        assert await put(ranks, ann=standing(1, version=100)) == {"ann": RankChange(1, None)}

    async def test_the_removal_of_an_unknown_player_is_harmless(self, ranks: RankingBackend) -> None:
        await ranks.ranking.remove(KEY, "ann", 1)
        await put(ranks, bob=standing(5))
        await ranks.ranking.remove(KEY, "ann", 1)
        assert await rows(ranks) == [(1, "bob", 5)]

    async def test_a_dropped_board_is_rebuilt_from_the_totals(self, ranks: RankingBackend) -> None:
        other = board(pk=2)
        await put(ranks, ann=standing(9))
        await put(ranks, other, bob=standing(5))
        ranks.given(KEY, MAIN, {"cat": standing(1)})
        await ranks.ranking.drop(MAIN)
        assert await rows(ranks) == [(1, "cat", 1)]
        assert await rows(ranks, other, table(other)) == [(1, "bob", 5)]
