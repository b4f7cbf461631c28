"""`scoreboard players`: profiles. A player who scores exists without one; the id stands in for the name."""

from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import resources
from scoreboard.cli.resources import AppId, Flag, Json, Kind, Whole, Yes
from scoreboard.cli.target import Target

PLAYER = Kind("player", "players", ("player", "username", "region", "email", "avatar_url"), "with every standing")

Id = Annotated[str, Parameter(name="player")]


@Parameter(name="*")
@dataclass(frozen=True)
class Profile:
    """What is told of a player."""

    username: str | None = None
    """Name on the boards; the id at first."""
    avatar_url: str | None = None
    """Picture: begins with https:// or /."""
    email: str | None = None
    """Address; shown on no board."""
    region: str | None = None
    """Where the player counts on boards with regions."""


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
def list_(*, app: AppId, after: str = "", limit: Whole = 100, json: Json = False, server: Target | None = None) -> None:
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
    profile: Profile | None = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Make a player's profile; not needed before the player scores.

    Parameters
    ----------
    player
        Its id: 1 to 50 printable characters.
    """
    resources.create(PLAYER, app, {"player": player, **asdict(profile or Profile())}, server, as_json=json)


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
    profile: Profile | None = None,
    no_avatar_url: Flag = False,
    no_email: Flag = False,
    no_region: Flag = False,
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
    fields = asdict(profile or Profile())
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
