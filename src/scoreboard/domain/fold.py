"""The rules by which a submission changes a standing: pure, exact, and the same wherever they run.

Scores do not depend on the order in which submissions arrive: `latest` goes by (accepted_at, event id), not by
arrival. So a redelivered or reordered queue ends in the same scores. `reached_at` may depend on it on `increment` and
`latest` boards, where an update that leaves the score alone arrives out of order.
"""

from typing import assert_never

from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, Submission


def fold(board: Board, old: Standing | None, new: Submission) -> Standing:
    """The standing after `new`; `old` itself when nothing changes. Raises Refused when the total leaves its bounds."""
    if old is None:
        # The first version is the instant: a player deleted and made again goes on above every version of before.
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
    """The better run as a whole: score, instant and event (and through the event its metadata) stay together."""
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
        raise codes.TOTAL_OUT_OF_BOUNDS.error(f"the total would leave {board.min_total} to {board.max_total}")
    return total
