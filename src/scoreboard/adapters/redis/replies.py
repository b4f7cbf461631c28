"""Conversion of script replies to the types of the port."""

from collections.abc import Sequence

from scoreboard.adapters.redis import encoding
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.application.ports.ranking import PlayerRank, Position, RankedEntry
from scoreboard.domain.board import Board


def position(epoch: bytes, offset: bytes) -> Position:
    return Position(epoch.decode(), int(offset))


def player_rank(
    rules: Encoding,
    player: str,
    total: int,
    value: bytes,
    row: int,
    rank: int,
    better: int,
    worse: int,
    nearest: bytes,
) -> PlayerRank:
    entry = rules.entry(rank, value[: rules.width] + encoding.player(player), value)
    next_score = rules.score(nearest) if nearest else None
    return PlayerRank(row, entry, total - better - worse - 1, worse, total, next_score)


def entries(
    board: Board, start: int, first: int, members: Sequence[bytes], values: Sequence[bytes]
) -> Sequence[RankedEntry]:
    """Return consecutive entries, given the row and the rank of the first."""
    rules = Encoding(board)
    return [
        rules.entry(rank, member, value)
        for rank, member, value in zip(_ranks(board, start, first, members), members, values or members, strict=True)
    ]


def _ranks(board: Board, start: int, first: int, members: Sequence[bytes]) -> Sequence[int]:
    if board.numbering == "ordinal":
        return range(first, first + len(members))
    ranks = [first] * len(members)
    for i in range(1, len(members)):
        if members[i][: encoding.DIGITS] == members[i - 1][: encoding.DIGITS]:
            ranks[i] = ranks[i - 1]
        else:
            ranks[i] = start + i + 1 if board.numbering == "competition" else ranks[i - 1] + 1
    return ranks
