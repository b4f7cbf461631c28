"""Client logs, with one line per request, and the scores that follow from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["A", "Q", "B", "T", "R", "X"]
"""The result of a request: success, 202, a lost connection, a time-out, a 503 or another refusal.

Only the last is an error of the service.
"""


KINDS: Mapping[int, Kind] = {200: "A", 202: "Q", 503: "R"}
REGIONS = ("eu", "us")


class Line(NamedTuple):
    """One request of a client.

    Times are seconds of the monotonic clock, which all processes of a machine share. `event` is the event id of a
    success, or the text of a refusal.
    """

    kind: Kind
    key: str
    player: str
    increment: int
    sent: float
    ended: float
    event: str


def update(player: str, increment: int) -> bytes:
    """Return the body of a request. It has a region, so an update changes two tables."""
    return b'{"player":"%b","increment":%d,"region":"%b"}' % (player.encode(), increment, region_of(player).encode())


def region_of(player: str) -> str:
    return REGIONS[len(player) % len(REGIONS)]


def text(line: Line) -> str:
    kind, key, player, increment, sent, ended, event = line
    return f"{kind} {key} {player} {increment} {sent:.6f} {ended:.6f} {event}"


def read(log: Path) -> list[Line]:
    """Return the complete lines of a log. An unfinished last line is left out."""
    whole, _, _ = log.read_text().rpartition("\n") if log.exists() else ("", "", "")
    return [_line(one) for one in whole.splitlines()]


def _line(one: str) -> Line:
    kind, key, player, increment, sent, ended, event = one.split(" ", 6)
    assert kind in {"A", "Q", "B", "T", "R", "X"}, one
    return Line(kind, key, player, int(increment), float(sent), float(ended), event)  # type: ignore[arg-type]  # the kind was checked


def acknowledged(lines: Iterable[Line]) -> dict[str, Line]:
    """Return the last success of each key, which is the one its client relies on."""
    return {line.key: line for line in lines if line.kind in {"A", "Q"}}


def in_flight(lines: Iterable[Line], at: float) -> int:
    """Count the requests that were sent, but not answered, at an instant."""
    return sum(line.sent < at < line.ended for line in lines)


def sums(lines: Iterable[Line]) -> Counter[str]:
    """Return the score of each player when each acknowledged key counts once."""
    scores: Counter[str] = Counter()
    for line in acknowledged(lines).values():
        scores[line.player] += line.increment
    return scores


def tables(scores: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Return the scores by region and player. The region '' is the world."""
    return {(region, player): score for player, score in scores.items() for region in ("", region_of(player))}
