"""`scoreboard actions`: what players do that is worth points; clients name the action, not the points."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import AppId, Flag, Json, Kind, Whole, Yes
from scoreboard.cli.target import Target

ACTION = Kind("action", "actions", ("action", "points", "per_day", "cooldown_s"), "")

Id = Annotated[str, Parameter(name="action")]


@Parameter(name="*")
@dataclass(frozen=True)
class Limits:
    """How often an action counts."""

    per_day: Whole | None = None
    """How often it counts a day for one player; no limit at first."""
    cooldown_s: Whole | None = None
    """Seconds before it counts again for one player."""


actions = App(
    name="actions",
    help="Make and manage actions: what players do, and what it is worth.",
    help_epilogue="Example:\n  scoreboard actions create level_complete --app demo --points 10",
)


@actions.command(name="list", help_epilogue="Example:\n  scoreboard actions list --app demo")
def list_(*, app: AppId, json: Json = False, server: Target | None = None) -> None:
    """List the actions of an app."""
    resources.list_all(ACTION, app, server, as_json=json)


@actions.command(
    help_epilogue="Examples:\n"
    "  scoreboard actions create level_complete --app demo --points 10\n"
    "  scoreboard actions create daily_login --app demo --points 5 --per-day 1\n"
    "  scoreboard actions create penalty --app demo --points -3 --cooldown-s 60"
)
def create(
    action: Id,
    /,
    *,
    app: AppId,
    points: Whole,
    limits: Limits | None = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Make an action.

    Parameters
    ----------
    action
        Its id: 1 to 50 of a-z, 0-9, '-' and '_'.
    points
        What it is worth; less than 0 takes points away.
    """
    fields = {"action": action, "points": points, **asdict(limits or Limits())}
    resources.create(ACTION, app, fields, server, as_json=json)


@actions.command(help_epilogue="Example:\n  scoreboard actions show level_complete --app demo")
def show(action: Id, /, *, app: AppId, json: Json = False, server: Target | None = None) -> None:
    """Show one action.

    Parameters
    ----------
    action
        Its id.
    """
    resources.show_one(ACTION, app, action, server, as_json=json)


@actions.command(
    help_epilogue="Examples:\n"
    "  scoreboard actions update level_complete --app demo --points 12\n"
    "  scoreboard actions update daily_login --app demo --no-per-day"
)
def update(
    action: Id,
    /,
    *,
    app: AppId,
    points: Whole | None = None,
    limits: Limits | None = None,
    no_per_day: Flag = False,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Change an action; what is not given stays, and what it was worth before stays counted.

    Parameters
    ----------
    action
        Its id.
    points
        What it is worth from now on.
    no_per_day
        Take the daily limit away.
    """
    fields = {"points": points, **asdict(limits or Limits())}
    resources.update(ACTION, app, action, fields, server, cleared={"per_day": no_per_day}, as_json=json)


@actions.command(help_epilogue="Example:\n  scoreboard actions delete daily_login --app demo --yes")
def delete(action: Id, /, *, app: AppId, yes: Yes = False, server: Target | None = None) -> None:
    """Delete an action; what it gave so far stays counted.

    Parameters
    ----------
    action
        Its id.
    """
    resources.delete(ACTION, app, action, server, yes=yes)
