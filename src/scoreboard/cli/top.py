"""`scoreboard top`: prints the best standings of a board."""

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from scoreboard.cli import output, standings
from scoreboard.cli.parameters import AppId, Json, Whole, examples
from scoreboard.cli.target import Target, connect, run
from scoreboard.client import Page

MOST = 1_000  # standings in one page

BoardId = Annotated[str, Parameter(name="board", help="Id of the board.")]
Limit = Annotated[Whole | None, Parameter(help="Number of standings, 1 to 1000; default: top N of the board.")]
Season = Annotated[str | None, Parameter(help="Name of a season, such as 2026-W46; default: the current one.")]
Region = Annotated[str | None, Parameter(help="Region of the board; default: the whole world.")]

top = App(
    name="top",
    help="Print the best standings of a board. Public boards need no token.",
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
    limit: Annotated[
        Whole | None, Parameter(help="Number of standings, 1 to 1000; default: top N of the board.")
    ] = None,
    season: Season = None,
    region: Region = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Print the best standings of a board. Public boards need no token."""
    response = run(_read(app, board, {"limit": limit, "season": season, "region": region}, server))
    if json:
        output.json(response)
        return
    page = msgspec.convert(response, Page, strict=False)
    print(standings.title(page.app, page.board, page.season, page.region, page.total))
    shown = len(page.entries)
    if not shown:
        output.note(standings.EMPTY)
        return
    print()
    output.renderable(standings.table(page.entries))
    if shown < page.total:
        more = min(MOST, page.total, 10 * shown)
        output.note(f"The first {shown:,} of {page.total:,}; for more, add: --limit {more}")


async def _read(app: str, board: str, query: dict[str, str | int | None], target: Target | None) -> Any:
    async with connect(target, reading=True) as connection:
        return await connection.client.call("GET", "apps", app, "boards", board, "top", query=query)
