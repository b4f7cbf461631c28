from typing import Any, get_args

import pytest

from scoreboard.domain.board import INT64_MAX, INT64_MIN, Board, Operator
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, Submission
from tests.making import NOON, WIDE, board, submission


def folded(to: Board, *submissions: Submission) -> Standing:
    standing = None
    for one in submissions:
        standing = fold(to, standing, one)
    assert standing is not None
    return standing


def values(to: Board, *given: int) -> list[Submission]:
    """One submission a microsecond."""
    return [submission(to, value=value, at=NOON + n) for n, value in enumerate(given)]


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("value", [0, 7, -7])
def test_the_first_update_makes_the_standing(operator: Operator, value: int) -> None:
    to = board(operator=operator)
    (first,) = values(to, value)
    made = fold(to, None, first)
    assert made == Standing(value, NOON, made.version, first.event, NOON)


@pytest.mark.parametrize(
    ("rules", "given", "score", "reached"),
    [
        ({"operator": "increment"}, (5, 3, -1), 7, 2),
        ({"operator": "increment", "direction": "ascending"}, (5, 3, -1), 7, 2),
        ({"operator": "increment"}, (5, 0), 5, 0),
        ({"operator": "increment"}, (0, 0), 0, 0),
        ({"operator": "best"}, (5, 3, 9, 9, 8), 9, 2),
        ({"operator": "best", "direction": "ascending"}, (5, 3, 9, 3), 3, 1),
        ({"operator": "latest"}, (5, 9, 3), 3, 2),
        ({"operator": "latest", "direction": "ascending"}, (5, 9, 3), 3, 2),
        ({"operator": "latest"}, (5, 9, 9), 9, 1),
    ],
)
def test_each_operator_has_its_score_and_the_instant_it_was_reached(
    rules: dict[str, Any], given: tuple[int, ...], score: int, reached: int
) -> None:
    to = board(**rules)
    standing = folded(to, *values(to, *given))
    assert (standing.score, standing.reached_at) == (score, NOON + reached)


@pytest.mark.parametrize(
    ("rules", "given"),
    [
        ({"operator": "increment"}, (5, 0)),
        ({"operator": "best"}, (5, 3)),
        ({"operator": "best"}, (5, 5)),
        ({"operator": "best", "direction": "ascending"}, (5, 7)),
    ],
)
def test_an_update_that_changes_nothing_leaves_the_standing_itself(
    rules: dict[str, Any], given: tuple[int, ...]
) -> None:
    to = board(**rules)
    first, second = values(to, *given)
    old = folded(to, first)
    assert fold(to, old, second) is old


@pytest.mark.parametrize("operator", get_args(Operator))
def test_every_change_has_the_next_version(operator: Operator) -> None:
    to = board(operator=operator)
    given = values(to, 1, 2, 3)
    first, second, third = (folded(to, *given[:n]).version for n in (1, 2, 3))
    assert (second, third) == (first + 1, first + 2)


def test_a_standing_made_again_goes_on_above_the_versions_of_the_one_before() -> None:
    to = board()
    *before, again = values(to, *[1] * 1_000)
    gone = folded(to, *before)
    again.accepted_at += 1_000
    assert fold(to, None, again).version > gone.version


def test_best_keeps_the_whole_run() -> None:
    """Trap 1."""
    to = board(operator="best")
    worse, best, later = values(to, 5, 9, 7)
    standing = folded(to, worse, best, later)
    assert standing[:2] + standing[3:] == (9, best.accepted_at, best.event, best.accepted_at)


@pytest.mark.parametrize("direction", ["descending", "ascending"])
def test_of_equal_runs_best_keeps_the_first_played_whenever_it_arrives(direction: str) -> None:
    to = board(operator="best", direction=direction)
    early, late = values(to, 5, 5)
    for order in ((early, late), (late, early)):
        standing = folded(to, *order)
        assert (standing.reached_at, standing.event) == (early.accepted_at, early.event)


def test_latest_is_the_last_accepted_not_the_last_to_arrive() -> None:
    to = board(operator="latest")
    early, late = values(to, 5, 9)
    assert folded(to, late, early).score == folded(to, early, late).score == 9


def test_latest_of_one_instant_is_the_greater_event() -> None:
    to = board(operator="latest")
    lesser, greater = submission(to, value=5), submission(to, value=9)
    assert folded(to, lesser, greater).event == folded(to, greater, lesser).event == greater.event


def test_an_increment_that_arrives_late_does_not_make_the_score_older() -> None:
    to = board()
    early, late = values(to, 5, 9)
    assert folded(to, late, early).reached_at == late.accepted_at


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("total", [-3, 11])
def test_a_total_outside_its_bounds_is_refused_from_the_first_update_on(operator: Operator, total: int) -> None:
    to = board(operator=operator, min_total=-2, max_total=10)
    for standing in (None, folded(to, submission(to, value=0))):
        with pytest.raises(Refused) as refusal:
            fold(to, standing, submission(to, value=total))
        assert refusal.value.code == "total_out_of_bounds"


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("total", [-2, 10])
def test_the_bounds_themselves_are_in(operator: Operator, total: int) -> None:
    to = board(operator=operator, min_total=-2, max_total=10)
    assert fold(to, None, submission(to, value=total)).score == total


@pytest.mark.parametrize(("edge", "beyond"), [(INT64_MAX, 1), (INT64_MIN, -1)])
def test_a_total_that_64_bits_do_not_hold_is_refused(edge: int, beyond: int) -> None:
    to = board(**WIDE)
    at_edge = folded(to, submission(to, value=edge - beyond), submission(to, value=beyond))
    assert at_edge.score == edge
    for value in (beyond, edge):
        with pytest.raises(Refused):
            fold(to, at_edge, submission(to, value=value))


def test_scores_above_two_to_the_53_are_exact() -> None:
    to = board(**WIDE)
    assert folded(to, submission(to, value=2**53), submission(to, value=1)).score == 2**53 + 1
