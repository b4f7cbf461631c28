"""Files of rows, and the standings that they result in."""

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Event(NamedTuple):
    time: float
    player: str
    score: int


def events(count: int, seed: int, *, low: int = 1) -> list[Event]:
    """Return events one second apart, with unusual player ids among them."""
    chance = random.Random(seed)
    players = [f"p{n}" for n in range(40)] + ["Zoë, Q.", 'the "one"', "你好", "a/b"]
    return [Event(1_767_225_600.5 + n, chance.choice(players), chance.randint(low, 100)) for n in range(count)]


def as_csv(path: Path, written: Iterable[Event]) -> Path:
    def quoted(text: str) -> str:
        doubled = text.replace('"', '""')
        return f'"{doubled}"' if any(c in text for c in ',"') else text

    lines = [f"{event.time},{quoted(event.player)},{event.score}" for event in written]
    path.write_text("time,player,score\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_ndjson(path: Path, written: Iterable[Event]) -> Path:
    path.write_text("".join(json.dumps(event._asdict()) + "\n" for event in written))
    return path


def as_gzip(path: Path) -> Path:
    packed = path.with_name(path.name + ".packed")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def expected(played: Iterable[Event], operator: str = "increment") -> list[tuple[str, int]]:
    """Compute the standings, best first. At equal scores the earlier player leads."""
    standings: dict[str, tuple[int, int]] = {}  # score, number of the row that changed it
    for number, (_, player, score) in enumerate(played):
        old = standings.get(player)
        if operator == "increment":
            new = score if old is None else old[0] + score
        elif operator == "best":
            new = score if old is None else max(old[0], score)
        else:
            new = score
        if old is None or new != old[0]:
            standings[player] = new, number
    ranked = sorted(standings.items(), key=lambda item: (-item[1][0], item[1][1]))
    return [(player, score) for player, (score, _) in ranked]
