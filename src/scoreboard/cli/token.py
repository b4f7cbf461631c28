"""`scoreboard token`: what clients show to be let in. Made with the data folder's key, so only where the folder is."""

from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.application.ports.authentication import ALL_APPS, Role
from scoreboard.bootstrap import settings, tokens
from scoreboard.cli import show
from scoreboard.cli.errors import UsageError
from scoreboard.cli.resources import Json
from scoreboard.cli.serve import Data
from scoreboard.domain import codes, identifiers
from scoreboard.domain.errors import Invalid

DAY_S = 86_400

AppId = Annotated[str, Parameter(name="--app", help="Id of the app it is for.")]
Days = Annotated[float, Parameter(help="How many days it is good for.")]

token = App(
    name="token",
    help="Make a token for a player, a server or an admin.",
    help_epilogue="Examples:\n"
    "  scoreboard token player --app demo --subject alice\n"
    "  TOKEN=$(scoreboard token server --app demo)",
)


@token.command(
    help_epilogue="Examples:\n"
    "  scoreboard token player --app demo --subject alice\n"
    "  scoreboard token player --app demo --subject alice --days 0.5"
)
def player(*, app: AppId, subject: str, days: Days = 7, data: Data = None, json: Json = False) -> None:
    """For one player: reads boards, and sends updates for that player alone.

    Parameters
    ----------
    subject
        Id of the player.
    """
    _print("player", app, subject, days, data, json=json)


@token.command(
    help_epilogue="Examples:\n"
    "  TOKEN=$(scoreboard token server --app demo)\n"
    "  scoreboard token server --app demo --subject match-server-1 --days 30"
)
def server(*, app: AppId, subject: str = "server", days: Days = 365, data: Data = None, json: Json = False) -> None:
    """For a trusted server of the app: reads boards, and sends updates for every player.

    Parameters
    ----------
    subject
        Name of the server; idempotency keys are kept under it, so it should stay.
    """
    _print("server", app, subject, days, data, json=json)


@token.command(
    help_epilogue="Examples:\n"
    "  scoreboard token admin --app demo\n"
    "  scoreboard token admin --app '*'   for every app: the operator"
)
def admin(*, app: AppId, subject: str = "admin", days: Days = 30, data: Data = None, json: Json = False) -> None:
    """For who manages the app: its boards, actions and players too.

    Parameters
    ----------
    subject
        Name of the admin; idempotency keys are kept under it.
    """
    _print("admin", app, subject, days, data, json=json)


def _print(role: Role, app: str, subject: str, days: float, data: Data, *, json: bool) -> None:
    ttl_s = days * DAY_S
    if not 1 <= ttl_s <= 100 * 365 * DAY_S:
        raise UsageError("--days is more than 0, and 36500 at most")
    try:
        if app != ALL_APPS or role != "admin":
            identifiers.check_slug(app, codes.INVALID_APP)
        identifiers.check_player(subject)
    except Invalid as error:
        raise UsageError(str(error)) from error
    chosen = settings.load(data=data)
    if not chosen.data.exists():
        show.note(
            f"There was no data folder {chosen.data.resolve()}: made. The token is good for a service on it alone."
        )
    made = tokens.issue(chosen, role=role, app=app, subject=subject, ttl_s=int(ttl_s))
    if json:
        show.document({"token": made, "role": role, "app": app, "subject": subject, "expires_in_s": int(ttl_s)})
    else:
        print(made)
