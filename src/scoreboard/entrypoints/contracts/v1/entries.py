"""The lines of a board in `/v1`, shared by reads and live messages."""

from collections.abc import Sequence

import msgspec

from scoreboard.domain import instant, top
from scoreboard.domain.board import SAFE_INTEGER, Board


class Entry(msgspec.Struct):
    """One line of a board. `score` is text on a board whose totals may leave the safe integers."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int | str
    reached_at: str


def is_wide(board: Board) -> bool:
    """Return whether totals may leave the integers that every JSON reader reads exactly. Then scores are text."""
    return board.min_total < -SAFE_INTEGER or board.max_total > SAFE_INTEGER


def score_text(board: Board, score: int) -> int | str:
    return str(score) if is_wide(board) else score


def entries(board: Board, lines: Sequence[top.Line]) -> list[Entry]:
    wide = is_wide(board)
    return [
        Entry(
            line.rank,
            line.player,
            line.username,
            line.avatar_url,
            str(line.score) if wide else line.score,
            instant.to_text(line.reached_at),
        )
        for line in lines
    ]
