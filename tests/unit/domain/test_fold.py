from typing import Any, get_args

import pytest

from scoreboard.domain.board import INT64_MAX, INT64_MIN, Board, Operator
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, Submission
from tests.making import NOON, WIDE, board, submission


def fold_all(to: Board, *submissions: Submission) -> Standing:
    standing = None
    for one in submissions:
        standing = fold(to, standing, one)
    assert standing is not None
    return standing


def values(to: Board, *given: int) -> list[Submission]:
    """Return submissions that are one microsecond apart."""
    return [submission(to, value=value, at=NOON + n) for n, value in enumerate(given)]


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("value", [0, 7, -7])
def test_the_first_update_creates_the_standing(operator: Operator, value: int) -> None:
    to = board(operator=operator)
    (first,) = values(to, value)
    created = fold(to, None, first)
    assert created == Standing(value, NOON, created.version, first.event, NOON)


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
def test_each_operator_returns_its_score_and_instant(
    rules: dict[str, Any], given: tuple[int, ...], score: int, reached: int
) -> None:
    to = board(**rules)
    standing = fold_all(to, *values(to, *given))
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
def test_an_update_without_effect_returns_the_same_standing(rules: dict[str, Any], given: tuple[int, ...]) -> None:
    to = board(**rules)
    first, second = values(to, *given)
    old = fold_all(to, first)
    assert fold(to, old, second) is old


@pytest.mark.parametrize("operator", get_args(Operator))
def test_every_change_increments_the_version(operator: Operator) -> None:
    to = board(operator=operator)
    given = values(to, 1, 2, 3)
    first, second, third = (fold_all(to, *given[:n]).version for n in (1, 2, 3))
    assert (second, third) == (first + 1, first + 2)


def test_a_standing_created_again_has_greater_versions_than_before() -> None:
    to = board()
    *before, again = values(to, *[1] * 1_000)
    deleted = fold_all(to, *before)
    again.accepted_at += 1_000
    assert fold(to, None, again).version > deleted.version


def test_best_keeps_the_instant_and_event_of_the_best_run() -> None:
    to = board(operator="best")
    worse, best, later = values(to, 5, 9, 7)
    standing = fold_all(to, worse, best, later)
    assert standing[:2] + standing[3:] == (9, best.accepted_at, best.event, best.accepted_at)


@pytest.mark.parametrize("direction", ["descending", "ascending"])
def test_best_keeps_the_earliest_of_equal_runs_in_any_order(direction: str) -> None:
    to = board(operator="best", direction=direction)
    early, late = values(to, 5, 5)
    for order in ((early, late), (late, early)):
        standing = fold_all(to, *order)
        assert (standing.reached_at, standing.event) == (early.accepted_at, early.event)


def test_latest_keeps_the_last_accepted_in_any_order() -> None:
    to = board(operator="latest")
    early, late = values(to, 5, 9)
    assert fold_all(to, late, early).score == fold_all(to, early, late).score == 9


def test_latest_keeps_the_greater_event_of_one_instant() -> None:
    to = board(operator="latest")
    lesser, greater = submission(to, value=5), submission(to, value=9)
    assert fold_all(to, lesser, greater).event == fold_all(to, greater, lesser).event == greater.event


def test_a_late_increment_does_not_set_the_instant_back() -> None:
    to = board()
    early, late = values(to, 5, 9)
    assert fold_all(to, late, early).reached_at == late.accepted_at


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("total", [-3, 11])
def test_a_total_outside_its_bounds_is_refused(operator: Operator, total: int) -> None:
    to = board(operator=operator, min_total=-2, max_total=10)
    for standing in (None, fold_all(to, submission(to, value=0))):
        with pytest.raises(Refused) as refusal:
            fold(to, standing, submission(to, value=total))
        assert refusal.value.code == "total_out_of_bounds"


@pytest.mark.parametrize("operator", get_args(Operator))
@pytest.mark.parametrize("total", [-2, 10])
def test_the_bounds_are_inclusive(operator: Operator, total: int) -> None:
    to = board(operator=operator, min_total=-2, max_total=10)
    assert fold(to, None, submission(to, value=total)).score == total


@pytest.mark.parametrize(("edge", "beyond"), [(INT64_MAX, 1), (INT64_MIN, -1)])
def test_a_total_beyond_64_bits_is_refused(edge: int, beyond: int) -> None:
    to = board(**WIDE)
    at_edge = fold_all(to, submission(to, value=edge - beyond), submission(to, value=beyond))
    assert at_edge.score == edge
    for value in (beyond, edge):
        with pytest.raises(Refused):
            fold(to, at_edge, submission(to, value=value))


def test_scores_above_two_to_the_53_are_exact() -> None:
    to = board(**WIDE)
    assert fold_all(to, submission(to, value=2**53), submission(to, value=1)).score == 2**53 + 1
