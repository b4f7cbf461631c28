"""`scoreboard apps`: an app is a tenant, with boards, actions, players and tokens of its own."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import Json, Kind, Yes
from scoreboard.cli.target import Target

APP = Kind("app", "apps", ("app", "name", "time_zone"), "with its boards, actions, players and all their history")

Id = Annotated[str, Parameter(name="app")]


@Parameter(name="*")
@dataclass(frozen=True)
class Description:
    """What of an app may be changed."""

    name: str | None = None
    """Name shown to people."""
    time_zone: str | None = None
    """Where its days begin, such as Europe/Berlin."""


apps = App(
    name="apps",
    help="Make and manage apps; each has boards and players of its own.",
    help_epilogue="Example:\n  scoreboard apps create chess --name 'Chess club' --time-zone Europe/Berlin",
)


@apps.command(
    name="list", help_epilogue="Examples:\n  scoreboard apps list\n  scoreboard apps list --json | jq -r '.[].app'"
)
def list_(*, json: Json = False, server: Target | None = None) -> None:
    """List all apps."""
    resources.list_all(APP, None, server, as_json=json)


@apps.command(
    help_epilogue="Examples:\n"
    "  scoreboard apps create demo\n"
    "  scoreboard apps create chess --name 'Chess club' --time-zone Europe/Berlin"
)
def create(
    app: Id, /, *, description: Description | None = None, json: Json = False, server: Target | None = None
) -> None:
    """Make an app.

    Parameters
    ----------
    app
        Its id: 1 to 50 of a-z, 0-9, '-' and '_'. It stands in addresses and never changes.
    """
    resources.create(APP, None, {"app": app, **asdict(description or Description())}, server, as_json=json)


@apps.command(help_epilogue="Examples:\n  scoreboard apps show demo\n  scoreboard apps show demo --json")
def show(app: Id, /, *, json: Json = False, server: Target | None = None) -> None:
    """Show one app.

    Parameters
    ----------
    app
        Its id.
    """
    resources.show_one(APP, None, app, server, as_json=json)


@apps.command(help_epilogue="Example:\n  scoreboard apps update chess --name 'Chess & Go club'")
def update(
    app: Id, /, *, description: Description | None = None, json: Json = False, server: Target | None = None
) -> None:
    """Change an app; what is not given stays.

    Parameters
    ----------
    app
        Its id.
    """
    resources.update(APP, None, app, asdict(description or Description()), server, as_json=json)


@apps.command(help_epilogue="Examples:\n  scoreboard apps delete demo\n  scoreboard apps delete demo --yes")
def delete(app: Id, /, *, yes: Yes = False, server: Target | None = None) -> None:
    """Delete an app with its boards, actions, players and all their history.

    Parameters
    ----------
    app
        Its id.
    """
    resources.delete(APP, None, app, server, yes=yes)
