"""Tables of standings for people."""

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from scoreboard.client import Entry

EMPTY = "Nobody has a score here yet."


def table(entries: Sequence[Entry], movement: Callable[[Entry], Text] | None = None) -> Table:
    """Return a table with a row for each entry. Long names are cut, numbers never."""
    ranks = [f"{entry.rank:,}" for entry in entries]
    scores = [f"{entry.score:,}" for entry in entries]
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    # Least widths keep the columns in place while small numbers change.
    shown.add_column("rank", justify="right", no_wrap=True, min_width=max(4, *map(len, ranks)))
    if movement is not None:
        shown.add_column("", justify="right", no_wrap=True, min_width=4)
    shown.add_column("player", min_width=20)
    shown.add_column("score", justify="right", no_wrap=True, min_width=max(9, *map(len, scores)))
    for rank, entry, score in zip(ranks, entries, scores, strict=True):
        name = Text(entry.username, no_wrap=True, overflow="ellipsis")
        if entry.username.casefold() != entry.player.casefold():
            name.append(f"  {entry.player}", style="dim")
        moved = () if movement is None else (movement(entry),)
        shown.add_row(rank, *moved, name, Text(score, style="bold"))
    return shown


def title(app: str, board: str, season: str, region: str | None, total: int) -> str:
    """Return one line that names the table and counts its players."""
    when = "all time" if season == "all" else season
    return f"{app}/{board}  {when}, {region or 'world'}, {total:,} {'player' if total == 1 else 'players'}"
