from scoreboard.domain.top import Change, Line, changes
from tests.making import NOON


def lines(*players: str, **scores: int) -> list[Line]:
    """Return lines in this order, with scores from 9 downwards unless given."""
    return [
        Line(rank, player, player, None, scores.get(player, 10 - rank), NOON) for rank, player in enumerate(players, 1)
    ]


def test_equal_tops_have_no_changes() -> None:
    assert changes(lines("a", "b"), lines("a", "b")) == []


def test_every_line_of_the_first_top_is_a_change() -> None:
    assert changes([], lines("a", "b")) == [Change("a", 1, None, 9), Change("b", 2, None, 8)]


def test_two_players_that_swap_both_change() -> None:
    assert changes(lines("a", "b"), lines("b", "a")) == [Change("b", 1, 2, 9), Change("a", 2, 1, 8)]


def test_a_new_score_at_the_same_rank_is_a_change() -> None:
    assert changes(lines("a", a=3), lines("a", a=4)) == [Change("a", 1, 1, 4)]


def test_a_new_name_is_a_change() -> None:
    (old,) = lines("a")
    assert changes([old], [old._replace(username="Ann")]) == [Change("a", 1, 1, 9)]


def test_players_that_left_come_last_with_their_previous_rank() -> None:
    found = changes(lines("a", "b", "c"), lines("d", "a"))
    assert [(one.player, one.rank, one.previous_rank) for one in found] == [
        ("d", 1, None),
        ("a", 2, 1),
        ("b", None, 2),
        ("c", None, 3),
    ]
