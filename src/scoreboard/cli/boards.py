"""`scoreboard boards`: a board ranks the players of an app by one rule."""

from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import AppId, Json, Kind, Yes
from scoreboard.cli.target import Target
from scoreboard.domain.board import Consistency, Direction, Numbering, Operator, Period, Ties

BOARD = Kind(
    "board",
    "boards",
    ("board", "name", "operator", "direction", "period", "top_n", "public"),
    "with its standings and history",
)

Id = Annotated[str, Parameter(name="board")]
Bound = int | None
Name = Annotated[str | None, Parameter(help="Name shown to people.")]
TopN = Annotated[int | None, Parameter(help="How many places are watched live, 1 to 1000; 10 at first.")]
Public = Annotated[bool | None, Parameter(help="Whether it can be read without a token; it can at first.")]
PlayerValues = Annotated[
    bool | None, Parameter(help="Whether players' own tokens may send values, not only actions; not at first.")
]
Consistent = Annotated[
    Consistency | None,
    Parameter(name="--consistency", help="Whether an update is answered with its rank (direct) or at once (queued)."),
]
MinValue = Annotated[Bound, Parameter(help="Least value of one update.")]
MaxValue = Annotated[Bound, Parameter(help="Greatest value of one update.")]

boards = App(
    name="boards",
    help="Make and manage boards; each ranks players by one rule.",
    help_epilogue="Examples:\n"
    "  scoreboard boards create main --app demo\n"
    "  scoreboard boards create laps --app f1 --operator best --direction ascending",
)


@boards.command(
    name="list",
    help_epilogue="Examples:\n"
    "  scoreboard boards list --app demo\n"
    "  scoreboard boards list --app demo --json | jq -r '.[].board'",
)
def list_(*, app: AppId, json: Json = False, server: Target | None = None) -> None:
    """List the boards of an app."""
    resources.list_all(BOARD, app, server, as_json=json)


@boards.command(
    help_epilogue="Examples:\n"
    "  scoreboard boards create main --app demo\n"
    "  scoreboard boards create laps --app f1 --operator best --direction ascending\n"
    "  scoreboard boards create week --app f1 --period weekly --region eu --region us"
)
def create(
    board: Id,
    /,
    *,
    app: AppId,
    name: Name = None,
    operator: Operator | None = None,
    direction: Direction | None = None,
    ties: Ties | None = None,
    numbering: Numbering | None = None,
    period: Period | None = None,
    time_zone: str | None = None,
    regions: Annotated[tuple[str, ...] | None, Parameter(name="--region", negative="")] = None,
    top_n: TopN = None,
    public: Public = None,
    player_values: PlayerValues = None,
    consistency: Consistent = None,
    min_value: MinValue = None,
    max_value: MaxValue = None,
    min_total: Bound = None,
    max_total: Bound = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Make a board. How it ranks (operator to region, and the totals) is fixed from then on; `update` changes the rest.

    Parameters
    ----------
    board
        Its id: 1 to 50 of a-z, 0-9, '-' and '_'.
    operator
        What an update does: add to the score (increment, the default), count when better (best), replace it (latest).
    direction
        Which score leads: the greatest (descending, the default) or the least.
    ties
        Who is ahead at equal scores: who reached it first (earliest, the default), last, or neither (shared).
    numbering
        Ranks at equal scores: 1 2 3 (ordinal, the default), 1 1 3 (competition), 1 1 2 (dense).
    period
        When it starts anew; never (all_time) when absent.
    time_zone
        Where its periods begin; the app's when absent.
    regions
        A region with a table of its own; repeat for more.
    min_total
        Least score a player can come to.
    max_total
        Greatest score a player can come to.
    """
    fields = {
        "board": board,
        "name": name,
        "operator": operator,
        "direction": direction,
        "ties": ties,
        "numbering": numbering,
        "period": period,
        "time_zone": time_zone,
        "regions": regions,
        "top_n": top_n,
        "public": public,
        "player_values": player_values,
        "consistency": consistency,
        "min_value": min_value,
        "max_value": max_value,
        "min_total": min_total,
        "max_total": max_total,
    }
    resources.create(BOARD, app, fields, server, as_json=json)


@boards.command(
    help_epilogue="Examples:\n"
    "  scoreboard boards show main --app demo\n"
    "  scoreboard boards show main --app demo --json",
)
def show(board: Id, /, *, app: AppId, json: Json = False, server: Target | None = None) -> None:
    """Show a board's rules.

    Parameters
    ----------
    board
        Its id.
    """
    resources.show_one(BOARD, app, board, server, as_json=json)


@boards.command(
    help_epilogue="Examples:\n"
    "  scoreboard boards update main --app demo --top-n 25\n"
    "  scoreboard boards update main --app demo --no-public --max-value 100"
)
def update(
    board: Id,
    /,
    *,
    app: AppId,
    name: Name = None,
    top_n: TopN = None,
    public: Public = None,
    player_values: PlayerValues = None,
    consistency: Consistent = None,
    min_value: MinValue = None,
    max_value: MaxValue = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Change a board; what is not given stays, and so does how it ranks.

    Parameters
    ----------
    board
        Its id.
    """
    fields = {
        "name": name,
        "top_n": top_n,
        "public": public,
        "player_values": player_values,
        "consistency": consistency,
        "min_value": min_value,
        "max_value": max_value,
    }
    resources.update(BOARD, app, board, fields, server, as_json=json)


@boards.command(help_epilogue="Example:\n  scoreboard boards delete main --app demo --yes")
def delete(board: Id, /, *, app: AppId, yes: Yes = False, server: Target | None = None) -> None:
    """Delete a board with its standings and history. One made later under the same id begins empty.

    Parameters
    ----------
    board
        Its id.
    """
    resources.delete(BOARD, app, board, server, yes=yes)
