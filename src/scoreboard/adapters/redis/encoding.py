"""Encoding of standings whose byte order is the order of the board.

Scores in a sorted set are doubles, which are not exact over 64 bits, and ties have no further order. Therefore all
members have the score 0 and are sorted by their bytes: score, time unless ties are shared, and the player's id in
UTF-8. Score and time are 16 hexadecimal digits each, which grow from best to worst. The id comes last because only its
length varies. If all digits of two members are equal, an id that is a prefix of the other comes first, as among ids.
"""

from scoreboard.application.ports.ranking import OrderKey, RankedEntry
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing

DIGITS = 16
_BIAS = 2**63
_ALL = 2**64 - 1


class Encoding:
    """Encoding of the standings of one board.

    Numbers are signed 64-bit integers; ValueError for others.
    """

    def __init__(self, board: Board) -> None:
        self._score_flip = _ALL if board.descending else 0
        self._time_flip = _ALL if board.ties == "latest" else 0
        self.width = DIGITS if board.ties == "shared" else 2 * DIGITS  # of score and time in a member

    def value(self, standing: Standing) -> bytes:
        """Encode score, time and version."""
        return self._order(standing.score, standing.reached_at) + version(standing.version)

    def member(self, key: OrderKey) -> bytes:
        return self._order(key.score, key.reached_at)[: self.width] + player(key.player)

    def _order(self, score: int, reached_at: int) -> bytes:
        return _digits((score + _BIAS) ^ self._score_flip) + _digits((reached_at + _BIAS) ^ self._time_flip)

    def score(self, order: bytes) -> int:
        """Decode the score at the beginning of a member or a value."""
        return (int(order[:DIGITS], 16) ^ self._score_flip) - _BIAS

    def entry(self, rank: int, member: bytes, value: bytes | None) -> RankedEntry:
        """Decode a member; `value` is needed only if members do not contain the time."""
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
