"""Standings as a table for people: aligned, with thousands separators."""

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from scoreboard.client import Entry

EMPTY = "Nobody has a score here yet."


def table(entries: Sequence[Entry], movement: Callable[[Entry], Text] | None = None) -> Table:
    """One row an entry. Widths keep still while small numbers change; names are cut before numbers are."""
    ranks = [f"{entry.rank:,}" for entry in entries]
    scores = [f"{entry.score:,}" for entry in entries]
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    made.add_column("rank", justify="right", no_wrap=True, min_width=max(4, *map(len, ranks)))
    if movement is not None:
        made.add_column("", justify="right", no_wrap=True, min_width=4)
    made.add_column("player", min_width=20)
    made.add_column("score", justify="right", no_wrap=True, min_width=max(9, *map(len, scores)))
    for rank, entry, score in zip(ranks, entries, scores, strict=True):
        moved = () if movement is None else (movement(entry),)
        made.add_row(rank, *moved, _player(entry), Text(score, style="bold"))
    return made


def of_what(app: str, board: str, season: str, region: str | None, total: int) -> str:
    """Which table it is, in a line."""
    when = "all time" if season == "all" else season
    return f"{app}/{board}  {when}, {region or 'world'}, {total:,} {'player' if total == 1 else 'players'}"


def _player(entry: Entry) -> Text:
    """The name, with the id where that is another word."""
    name = Text(entry.username, no_wrap=True, overflow="ellipsis")
    if entry.username.casefold() != entry.player.casefold():
        name.append(f"  {entry.player}", style="dim")
    return name
