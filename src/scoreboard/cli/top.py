"""`scoreboard top`: a board as it is now."""

from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from scoreboard.cli import show, standings
from scoreboard.cli.resources import AppId, Json, Whole
from scoreboard.cli.target import Target, connected, run
from scoreboard.client import Page

EXAMPLES = """\
Examples:
  scoreboard top main --app demo
  scoreboard top laps --app f1 --limit 100 --region eu
  scoreboard top week --app f1 --season 2026-W46
  scoreboard top main --app demo --json | jq -r '.entries[].player'
  scoreboard top main --app demo --url https://scores.example.com
"""

Season = Annotated[str | None, Parameter(help="A season by its name, such as 2026-W46; the current one at first.")]
Region = Annotated[str | None, Parameter(help="A region of the board; the whole world at first.")]

top = App(name="top", help="Print the best of a board. Public boards need no token.", help_epilogue=EXAMPLES)


@top.default
def main(
    board: str,
    /,
    *,
    app: AppId,
    limit: Whole | None = None,
    season: Season = None,
    region: Region = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Print the best of a board. Public boards need no token.

    Parameters
    ----------
    board
        Id of the board.
    limit
        How many, 1 to 1000; as many as are watched live at first.
    """
    answer = run(_read(app, board, {"limit": limit, "season": season, "region": region}, server))
    if json:
        show.document(answer)
        return
    _print(msgspec.convert(answer, Page, strict=False))


async def _read(app: str, board: str, query: dict[str, str | int | None], target: Target | None) -> Any:
    async with connected(target, reading=True) as connection:
        return await connection.client.call("GET", "apps", app, "boards", board, "top", query=query)


def _print(page: Page) -> None:
    print(standings.of_what(page.app, page.board, page.season, page.region, page.total))
    if not page.entries:
        show.note(standings.EMPTY)
        return
    print()
    show.renderable(standings.table(page.entries))
    if len(page.entries) < page.total:
        show.note(f"The first {len(page.entries):,} of {page.total:,}; for more, add: --limit {_more(page)}")


def _more(page: Page) -> int:
    return min(1_000, page.total, 10 * len(page.entries))
