"""The final standings do not depend on the order and the repeats of a queue."""

import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.domain.board import Board, Direction, Operator
from scoreboard.domain.event_id import EventId
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, Submission
from tests.making import NOON, WIDE, board, submission

DIRECTIONS = st.sampled_from(["descending", "ascending"])
SMALL = st.integers(-3, 3)
VALUES = SMALL | st.sampled_from([-(2**53) - 1, 2**53 + 1]) | st.integers(-(2**55), 2**55)
UPDATES = st.lists(st.tuples(VALUES, st.integers(0, 5)), min_size=1, max_size=12)  # value, microseconds after noon


def fold_all(to: Board, submissions: list[Submission]) -> Standing:
    standing = None
    for one in submissions:
        standing = fold(to, standing, one)
    assert standing is not None
    return standing


def essence(standing: Standing) -> tuple[int, int, EventId, int]:
    """Return all fields but the version, which counts changes."""
    return standing.score, standing.reached_at, standing.event, standing.event_at


def submissions_of(to: Board, updates: list[tuple[int, int]]) -> list[Submission]:
    return [submission(to, value=value, at=NOON + after) for value, after in updates]


@settings(deadline=None)
@given(UPDATES, DIRECTIONS, st.randoms(use_true_random=False))
def test_best_does_not_depend_on_the_order(
    updates: list[tuple[int, int]], direction: Direction, shuffle: random.Random
) -> None:
    to = board(operator="best", direction=direction, **WIDE)
    submissions = submissions_of(to, updates)
    shuffled = shuffle.sample(submissions, len(submissions))
    assert essence(fold_all(to, shuffled)) == essence(fold_all(to, submissions))
    # A repeated delivery changes nothing, not even the version.
    assert fold_all(to, shuffled + submissions) == fold_all(to, shuffled)


@settings(deadline=None)
@given(UPDATES.filter(lambda updates: all(value for value, _ in updates)), st.randoms(use_true_random=False))
def test_increments_do_not_depend_on_the_order(updates: list[tuple[int, int]], shuffle: random.Random) -> None:
    to = board(**WIDE)
    submissions = submissions_of(to, updates)
    shuffled = shuffle.sample(submissions, len(submissions))
    assert essence(fold_all(to, shuffled)) == essence(fold_all(to, submissions))


@settings(deadline=None)
@given(UPDATES, st.randoms(use_true_random=False))
def test_the_score_and_event_of_latest_do_not_depend_on_the_order(
    updates: list[tuple[int, int]], shuffle: random.Random
) -> None:
    to = board(operator="latest", **WIDE)
    submissions = submissions_of(to, updates)
    shuffled = shuffle.sample(submissions, len(submissions))
    last = max(submissions, key=lambda one: (one.accepted_at, one.event))
    for order in (submissions, shuffled, shuffled + submissions):
        standing = fold_all(to, order)
        assert (standing.score, standing.event) == (last.value, last.event)


@pytest.mark.parametrize("operator", ["increment", "best", "latest"])
@settings(deadline=None)
@given(values=st.lists(SMALL, min_size=1, max_size=12), direction=DIRECTIONS)
def test_in_order_a_standing_follows_its_operator(operator: Operator, values: list[int], direction: Direction) -> None:
    to = board(operator=operator, direction=direction)
    after_each = {
        "increment": list(accumulate(values)),
        "best": list(accumulate(values, max if direction == "descending" else min)),
        "latest": values,
    }[operator]
    standing = fold_all(to, submissions_of(to, [(value, n) for n, value in enumerate(values)]))
    assert standing.score == after_each[-1]
    since = len(after_each)
    while since and after_each[since - 1] == after_each[-1]:
        since -= 1
    assert standing.reached_at == NOON + since
