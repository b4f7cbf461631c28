"""The fold: pure functions that combine a standing with a submission.

Scores do not depend on the order in which submissions arrive: `latest` compares (accepted_at, event id). So redelivery
and reordering by a queue lead to the same scores. `reached_at` may depend on the order, on `increment` and `latest`
boards, when an update that does not change the score arrives out of order.
"""

from typing import assert_never

from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, Submission


def fold(board: Board, old: Standing | None, new: Submission) -> Standing:
    """Return the standing after `new`, or `old` itself when nothing changes.

    Raises Refused when the total would leave its bounds.
    """
    if old is None:
        # The first version is the instant, so that versions keep growing when a player is deleted and created again.
        return Standing(_bounded(board, new.value), new.accepted_at, new.accepted_at, new.event, new.accepted_at)
    match board.operator:
        case "increment":
            return _increment(board, old, new)
        case "best":
            return _best(board, old, new)
        case "latest":
            return _latest(board, old, new)
        case unknown:
            assert_never(unknown)


def _increment(board: Board, old: Standing, new: Submission) -> Standing:
    if new.value == 0:
        return old
    score = _bounded(board, old.score + new.value)
    event_at, event = max((old.event_at, old.event), (new.accepted_at, new.event))
    return Standing(score, max(old.reached_at, new.accepted_at), old.version + 1, event, event_at)


def _best(board: Board, old: Standing, new: Submission) -> Standing:
    """Return the better run with its own instant and event (and so its metadata)."""
    score = _bounded(board, new.value)
    if score == old.score:
        better = (new.accepted_at, new.event) < (old.event_at, old.event)
    else:
        better = (score > old.score) == board.descending
    return Standing(score, new.accepted_at, old.version + 1, new.event, new.accepted_at) if better else old


def _latest(board: Board, old: Standing, new: Submission) -> Standing:
    score = _bounded(board, new.value)
    if (new.accepted_at, new.event) <= (old.event_at, old.event):
        return old
    reached_at = old.reached_at if score == old.score else new.accepted_at
    return Standing(score, reached_at, old.version + 1, new.event, new.accepted_at)


def _bounded(board: Board, total: int) -> int:
    if not board.min_total <= total <= board.max_total:
        raise codes.TOTAL_OUT_OF_BOUNDS.error(
            f"the player's total must stay between {board.min_total} and {board.max_total}"
        )
    return total
