"""Entries of a board in `/v1`, shared by reads and live messages."""

from collections.abc import Sequence

import msgspec

from scoreboard.domain import instant, top
from scoreboard.domain.board import SAFE_INTEGER, Board


class Entry(msgspec.Struct):
    """One entry of a board; `score` is a string on a board with wide totals."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int | str
    reached_at: str


def is_wide(board: Board) -> bool:
    """Return whether totals may exceed what every JSON parser reads exactly."""
    return board.min_total < -SAFE_INTEGER or board.max_total > SAFE_INTEGER


def encode_score(board: Board, score: int) -> int | str:
    """Return the score as its board encodes it: as text if totals are wide."""
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
