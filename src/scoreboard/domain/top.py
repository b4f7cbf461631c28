"""The live top N: its lines, and how one top N differs from the one before."""

from collections.abc import Sequence
from typing import NamedTuple

from scoreboard.domain.board import Board


class Line(NamedTuple):
    """One line of a board. `reached_at` in microseconds since 1970."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int
    reached_at: int


class TopSnapshot(NamedTuple):
    """A top N as read: the board as it is now, the season it is of, when it was read. Nothing read in one `epoch` of
    the ranking is older or newer than what was read in another."""

    board: Board
    epoch: str
    season: str
    total: int
    at: int
    lines: list[Line]


class Change(NamedTuple):
    """One player's move in the top N; a rank of None means outside it."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int


def changes(old: Sequence[Line], new: Sequence[Line]) -> list[Change]:
    """Who entered, moved, scored or left, in the order of the new board, then who left in the order of the old."""
    before = {line.player: line for line in old}
    found = []
    for line in new:
        was = before.pop(line.player, None)
        if was is None:
            found.append(Change(line.player, line.rank, None, line.score))
        elif was != line:
            found.append(Change(line.player, line.rank, was.rank, line.score))
    found += [Change(line.player, None, line.rank, line.score) for line in before.values()]
    return found
