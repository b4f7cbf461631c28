"""`scoreboard players`: profiles. A player who scores exists without one; the id stands in for the name."""

from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import AppId, Json, Kind, Yes
from scoreboard.cli.target import Target

PLAYER = Kind("player", "players", ("player", "username", "region", "email", "avatar_url"), "with every standing")

Id = Annotated[str, Parameter(name="player")]
Username = Annotated[str | None, Parameter(help="Name on the boards; the id at first.")]
AvatarUrl = Annotated[str | None, Parameter(help="Picture: begins with https:// or /.")]
Email = Annotated[str | None, Parameter(help="Address; shown on no board.")]
Region = Annotated[str | None, Parameter(help="Where the player counts on boards with regions.")]
Clear = Annotated[bool, Parameter(negative="", show_default=False)]

players = App(
    name="players",
    help="Make and manage the profiles of players.",
    help_epilogue="Example:\n  scoreboard players create bob --app demo --username 'Bob B.' --region eu",
)


@players.command(
    name="list",
    help_epilogue="Examples:\n"
    "  scoreboard players list --app demo\n"
    "  scoreboard players list --app demo --limit 1000000 --json > players.json",
)
def list_(*, app: AppId, after: str = "", limit: int = 100, json: Json = False, server: Target | None = None) -> None:
    """List players in the order of their ids.

    Parameters
    ----------
    after
        Begin after this id.
    limit
        How many at most.
    """
    resources.list_some(PLAYER, app, after, limit, server, as_json=json)


@players.command(
    help_epilogue="Examples:\n"
    "  scoreboard players create alice --app demo\n"
    "  scoreboard players create bob --app demo --username 'Bob B.' --region eu"
)
def create(
    player: Id,
    /,
    *,
    app: AppId,
    username: Username = None,
    avatar_url: AvatarUrl = None,
    email: Email = None,
    region: Region = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Make a player's profile; not needed before the player scores.

    Parameters
    ----------
    player
        Its id: 1 to 50 printable characters.
    """
    fields = {"player": player, "username": username, "avatar_url": avatar_url, "email": email, "region": region}
    resources.create(PLAYER, app, fields, server, as_json=json)


@players.command(help_epilogue="Example:\n  scoreboard players show alice --app demo")
def show(player: Id, /, *, app: AppId, json: Json = False, server: Target | None = None) -> None:
    """Show a player's profile.

    Parameters
    ----------
    player
        Its id.
    """
    resources.show_one(PLAYER, app, player, server, as_json=json)


@players.command(
    help_epilogue="Examples:\n"
    "  scoreboard players update alice --app demo --username 'Alice A.'\n"
    "  scoreboard players update alice --app demo --no-email --no-region"
)
def update(
    player: Id,
    /,
    *,
    app: AppId,
    username: Username = None,
    avatar_url: AvatarUrl = None,
    no_avatar_url: Clear = False,
    email: Email = None,
    no_email: Clear = False,
    region: Region = None,
    no_region: Clear = False,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Change a player's profile; what is not given stays.

    Parameters
    ----------
    player
        Its id.
    no_avatar_url
        Take the picture away.
    no_email
        Take the address away.
    no_region
        Take the region away.
    """
    fields = {"username": username, "avatar_url": avatar_url, "email": email, "region": region}
    cleared = {"avatar_url": no_avatar_url, "email": no_email, "region": no_region}
    resources.update(PLAYER, app, player, fields, server, cleared=cleared, as_json=json)


@players.command(help_epilogue="Example:\n  scoreboard players delete alice --app demo --yes")
def delete(player: Id, /, *, app: AppId, yes: Yes = False, server: Target | None = None) -> None:
    """Delete a player's profile and every standing, on all boards of the app.

    Parameters
    ----------
    player
        Its id.
    """
    resources.delete(PLAYER, app, player, server, yes=yes)
