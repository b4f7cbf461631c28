"""What clients log, a line a request, and what that comes to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["A", "Q", "B", "T", "R", "X"]
"""Answered with success, or with 202; no answer: broken, or not in time; told to come back; refused, which is wrong."""


REGIONS = ("eu", "us")


class Line(NamedTuple):
    """Times in seconds of the monotonic clock, which all processes of a machine share. `event` is the id of what was
    answered, or what a refusal said."""

    kind: Kind
    key: str
    player: str
    increment: int
    sent: float
    ended: float
    event: str


def update(player: str, increment: int) -> bytes:
    """The body of a request. Each player is of one region, so every update counts in two tables."""
    return b'{"player":"%b","increment":%d,"region":"%b"}' % (player.encode(), increment, region_of(player).encode())


def region_of(player: str) -> str:
    return REGIONS[len(player) % len(REGIONS)]


def text(line: Line) -> str:
    kind, key, player, increment, sent, ended, event = line
    return f"{kind} {key} {player} {increment} {sent:.6f} {ended:.6f} {event}"


def read(log: Path) -> list[Line]:
    """All that was logged; a line that is being written is not there yet."""
    whole, _, _ = log.read_text().rpartition("\n") if log.exists() else ("", "", "")
    return [_line(one) for one in whole.splitlines()]


def _line(one: str) -> Line:
    kind, key, player, increment, sent, ended, event = one.split(" ", 6)
    assert kind in {"A", "Q", "B", "T", "R", "X"}, one
    return Line(kind, key, player, int(increment), float(sent), float(ended), event)  # type: ignore[arg-type]


def acknowledged(lines: Iterable[Line]) -> dict[str, Line]:
    """The last success of each key: what its client goes by."""
    return {line.key: line for line in lines if line.kind in {"A", "Q"}}


def in_flight(lines: Iterable[Line], at: float) -> int:
    """Requests that had been sent at this instant, and whose answer had not been received."""
    return sum(line.sent < at < line.ended for line in lines)


def sums(lines: Iterable[Line]) -> Counter[str]:
    """The score of each player, when each acknowledged key counts once."""
    scores: Counter[str] = Counter()
    for line in acknowledged(lines).values():
        scores[line.player] += line.increment
    return scores


def tables(scores: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """By region and player: the world ('') has everybody."""
    return {(region, player): score for player, score in scores.items() for region in ("", region_of(player))}
