"""The messages of a live board, and the lines they share with the reads: encoded once, whoever receives them."""

from collections.abc import Sequence

import msgspec

from scoreboard.domain import instant, top
from scoreboard.domain.board import Board


class Entry(msgspec.Struct):
    """One line of a board. `score` is text on a board whose totals may leave the safe integers."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int | str
    reached_at: str


class Change(msgspec.Struct):
    """One player's move: a rank of null is a place outside the top N."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int | str


class Top(msgspec.Struct, tag="top", tag_field="type"):
    """The whole top N at one position. `changes` only for a client that had the position before."""

    app: str
    board: str
    season: str
    region: str | None
    epoch: str
    offset: int
    total: int
    at: str
    entries: list[Entry]
    changes: list[Change] | msgspec.UnsetType = msgspec.UNSET


def score_text(board: Board, score: int) -> int | str:
    return str(score) if board.wide else score


def entries(board: Board, lines: Sequence[top.Line]) -> list[Entry]:
    return [
        Entry(
            line.rank,
            line.player,
            line.username,
            line.avatar_url,
            score_text(board, line.score),
            instant.to_text(line.reached_at),
        )
        for line in lines
    ]


def changes(board: Board, moves: Sequence[top.Change]) -> list[Change]:
    return [Change(move.player, move.rank, move.previous_rank, score_text(board, move.score)) for move in moves]


encode = msgspec.json.Encoder().encode
