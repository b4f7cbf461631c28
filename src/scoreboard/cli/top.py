"""`scoreboard top`: prints the best standings of a board."""

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich import box
from rich.table import Table
from rich.text import Text

from scoreboard.cli import output
from scoreboard.cli.parameters import AppId, Json, Whole, examples
from scoreboard.cli.target import DEFAULT, Target, request
from scoreboard.client import Entry, LiveTop, Page

MOST = 1_000  # standings in one page
EMPTY = "There are no scores yet."

BoardId = Annotated[str, Parameter(name="board", help="Id of the board.")]
Limit = Annotated[Whole | None, Parameter(help="Number of standings, 1 to 1000; default: top N of the board.")]
Season = Annotated[str | None, Parameter(help="Name of a season, such as 2026-W46; default: the current one.")]
Region = Annotated[str | None, Parameter(help="Region of the board; default: the whole world.")]

top = App(
    name="top",
    help_epilogue=examples(
        "top main --app demo",
        "top laps --app f1 --limit 100 --region eu",
        "top week --app f1 --season 2026-W46",
        "top main --app demo --json | jq -r '.entries[].player'",
        "top main --app demo --url https://scores.example.com",
    ),
)


@top.default
def main(
    board: BoardId,
    /,
    *,
    app: AppId,
    limit: Limit = None,
    season: Season = None,
    region: Region = None,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """Print the best standings of a board. Public boards need no token."""
    query = {"limit": limit, "season": season, "region": region}
    response = request(server, "GET", "apps", app, "boards", board, "top", query=query, reading=True)
    if json:
        output.json(response)
        return
    page = msgspec.convert(response, Page, strict=False)
    print(title(page))
    shown = len(page.entries)
    if not shown:
        output.note(EMPTY)
        return
    print()
    output.renderable(table(page.entries))
    if shown < page.total:
        more = min(MOST, page.total, 10 * shown)
        output.note(f"Showing {shown:,} of {page.total:,}; for more, add: --limit {more}")


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


def title(top: Page | LiveTop) -> str:
    """Return one line that names the table and counts its players."""
    when = "all time" if top.season == "all" else top.season
    return f"{top.app}/{top.board}  {when}, {top.region or 'world'}, {output.count(top.total, 'player')}"
