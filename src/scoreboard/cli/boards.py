"""`scoreboard boards`: a board ranks the players of an app by one rule."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import AppId, Json, Kind, Whole, Yes
from scoreboard.cli.target import Target
from scoreboard.domain.board import Consistency, Direction, Numbering, Operator, Period, Priority, Ties

BOARD = Kind(
    "board",
    "boards",
    ("board", "name", "operator", "direction", "period", "top_n", "public"),
    "with its standings and history",
)

Id = Annotated[str, Parameter(name="board")]


@Parameter(name="*")
@dataclass(frozen=True)
class Ranking:
    """How a board ranks: fixed when it is made."""

    operator: Operator | None = None
    """What an update does: add to the score (increment, the default), count when better (best), replace it (latest)."""
    direction: Direction | None = None
    """Which score leads: the greatest (descending, the default) or the least."""
    ties: Ties | None = None
    """Who is ahead at equal scores: who reached it first (earliest, the default), last, or neither (shared)."""
    numbering: Numbering | None = None
    """Ranks at equal scores: 1 2 3 (ordinal, the default), 1 1 3 (competition), 1 1 2 (dense)."""
    period: Period | None = None
    """When it starts anew; never (all_time) when absent."""
    time_zone: str | None = None
    """Where its periods begin; the app's when absent."""
    regions: Annotated[tuple[str, ...] | None, Parameter(name="--region", negative="")] = None
    """A region with a table of its own; repeat for more."""
    min_total: Whole | None = None
    """Least score a player can come to."""
    max_total: Whole | None = None
    """Greatest score a player can come to."""


@Parameter(name="*")
@dataclass(frozen=True)
class Changeable:
    """What of a board may be changed."""

    name: str | None = None
    """Name shown to people."""
    top_n: Whole | None = None
    """How many places are watched live, 1 to 1000; 10 at first."""
    public: bool | None = None
    """Whether it can be read without a token; it can at first."""
    player_values: bool | None = None
    """Whether players' own tokens may send values, not only actions; not at first."""
    consistency: Consistency | None = None
    """Whether an update is answered with its rank (direct) or at once (queued)."""
    priority: Priority | None = None
    """Which updates go first where many are queued; normal at first."""
    min_value: Whole | None = None
    """Least value of one update."""
    max_value: Whole | None = None
    """Greatest value of one update."""


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
    ranking: Ranking | None = None,
    changeable: Changeable | None = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Make a board. How it ranks (operator to max-total) is fixed from then on; `update` changes the rest.

    Parameters
    ----------
    board
        Its id: 1 to 50 of a-z, 0-9, '-' and '_'.
    """
    fields = {"board": board, **asdict(ranking or Ranking()), **asdict(changeable or Changeable())}
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
    changeable: Changeable | None = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Change a board; what is not given stays, and so does how it ranks.

    Parameters
    ----------
    board
        Its id.
    """
    resources.update(BOARD, app, board, asdict(changeable or Changeable()), server, as_json=json)


@boards.command(help_epilogue="Example:\n  scoreboard boards delete main --app demo --yes")
def delete(board: Id, /, *, app: AppId, yes: Yes = False, server: Target | None = None) -> None:
    """Delete a board with its standings and history. One made later under the same id begins empty.

    Parameters
    ----------
    board
        Its id.
    """
    resources.delete(BOARD, app, board, server, yes=yes)
