"""The live top N: its lines, and the changes between two of them."""

from collections.abc import Sequence
from typing import NamedTuple

from scoreboard.domain.board import Board


class Line(NamedTuple):
    """One line of a board. `reached_at` is in microseconds since 1970."""

    rank: int
    player: str
    username: str
    avatar_url: str | None
    score: int
    reached_at: int


class TopSnapshot(NamedTuple):
    """The top N of a board's season, read at the instant `at`.

    Snapshots from different epochs of the ranking have no order.
    """

    board: Board
    epoch: str
    season: str
    total: int
    at: int
    lines: list[Line]


class Change(NamedTuple):
    """A player's change in the top N. Outside the top N a rank is None."""

    player: str
    rank: int | None
    previous_rank: int | None
    score: int


def changes(old: Sequence[Line], new: Sequence[Line]) -> list[Change]:
    """Return the players that entered, moved or scored, then those that left.

    The former have the order of the new top N, and the latter that of the old.
    """
    old_lines = {line.player: line for line in old}
    found = []
    for line in new:
        previous = old_lines.pop(line.player, None)
        if previous is None:
            found.append(Change(line.player, line.rank, None, line.score))
        elif previous != line:
            found.append(Change(line.player, line.rank, previous.rank, line.score))
    found += [Change(line.player, None, line.rank, line.score) for line in old_lines.values()]
    return found
