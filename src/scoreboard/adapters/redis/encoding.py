"""How standings are written in Redis, so that the order of bytes is the order of the board.

A double is not exact over 64 bits and a sorted set by score has no order of ties. So all members stand at score 0, in
the order of their bytes: score, then time unless ties are shared, each as 16 hexadecimal digits that grow from best to
worst; then the player's id in UTF-8. Only the id varies in length, and it is last: of two members that differ
there alone, the one whose id is the beginning of the other's comes first, as it does among ids.
"""

from scoreboard.application.ports.ranking import OrderKey, RankedEntry
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing

DIGITS = 16
_BIAS = 2**63
_ALL = 2**64 - 1


class Encoding:
    """Of the standings of one board. Numbers are signed 64-bit integers; ValueError for others."""

    def __init__(self, board: Board) -> None:
        self._score_flip = _ALL if board.descending else 0
        self._time_flip = _ALL if board.ties == "latest" else 0
        self.width = DIGITS if board.ties == "shared" else 2 * DIGITS  # of score and time in a member

    def value(self, standing: Standing) -> bytes:
        """Score, time and version."""
        return self._order(standing.score, standing.reached_at) + version(standing.version)

    def member(self, key: OrderKey) -> bytes:
        return self._order(key.score, key.reached_at)[: self.width] + player(key.player)

    def _order(self, score: int, reached_at: int) -> bytes:
        return _digits((score + _BIAS) ^ self._score_flip) + _digits((reached_at + _BIAS) ^ self._time_flip)

    def score(self, order: bytes) -> int:
        """The score with which a member or a value begins."""
        return (int(order[:DIGITS], 16) ^ self._score_flip) - _BIAS

    def ranked(self, rank: int, member: bytes, value: bytes | None) -> RankedEntry:
        """`value` is needed only where members do not tell the time."""
        time = int((value or member)[DIGITS : 2 * DIGITS], 16) ^ self._time_flip
        return RankedEntry(rank, member[self.width :].decode(errors="surrogatepass"), self.score(member), time - _BIAS)


def player(player: str) -> bytes:
    return player.encode(errors="surrogatepass")


def version(version: int) -> bytes:
    return _digits(version + _BIAS)


def _digits(number: int) -> bytes:
    if not 0 <= number <= _ALL:
        raise ValueError("not a signed 64-bit integer")
    return b"%016x" % number
