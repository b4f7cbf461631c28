"""What the scripts of a table tell, as the port promises it."""

from collections.abc import Sequence

from scoreboard.adapters.redis import encoding
from scoreboard.adapters.redis.encoding import Encoding
from scoreboard.application.ports.ranking import PlayerRank, Position, RankedEntry
from scoreboard.domain.board import Board


def position(epoch: bytes, offset: bytes) -> Position:
    return Position(epoch.decode(), int(offset))


def details(
    rules: Encoding,
    player: str,
    total: int,
    value: bytes,
    place: int,
    rank: int,
    better: int,
    worse: int,
    nearest: bytes,
) -> PlayerRank:
    ranked = rules.ranked(rank, value[: rules.width] + encoding.player(player), value)
    next_score = rules.score(nearest) if nearest else None
    return PlayerRank(place, ranked, total - better - worse - 1, worse, total, next_score)


def rows(
    board: Board, start: int, first: int, members: Sequence[bytes], values: Sequence[bytes]
) -> Sequence[RankedEntry]:
    """Standings at consecutive places, given the place and the rank of the first."""
    rules = Encoding(board)
    return [
        rules.ranked(rank, member, value)
        for rank, member, value in zip(_ranks(board, start, first, members), members, values or members, strict=True)
    ]


def _ranks(board: Board, start: int, first: int, members: Sequence[bytes]) -> Sequence[int]:
    """The ranks of members at consecutive places, given that of the first."""
    if board.numbering == "ordinal":
        return range(first, first + len(members))
    found = [first] * len(members)
    for i in range(1, len(members)):
        if members[i][: encoding.DIGITS] == members[i - 1][: encoding.DIGITS]:
            found[i] = found[i - 1]
        else:
            found[i] = start + i + 1 if board.numbering == "competition" else found[i - 1] + 1
    return found
