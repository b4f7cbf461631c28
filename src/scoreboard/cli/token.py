"""`scoreboard token`: tokens signed with the key of the data folder."""

from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.application.ports.authentication import ALL_APPS, Role
from scoreboard.bootstrap import settings, tokens
from scoreboard.cli import output
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import Json, examples
from scoreboard.cli.serve import Data
from scoreboard.domain import codes, identifiers
from scoreboard.domain.errors import Invalid

DAY_S = 86_400

AppId = Annotated[str, Parameter(name="--app", help="Id of the app that the token is for.")]
Days = Annotated[float, Parameter(help="Days until the token expires.")]
Player = Annotated[str, Parameter(help="Id of the player.")]
Name = Annotated[
    str, Parameter(help="Name of the server or admin. Reuse it in later tokens: idempotency keys belong to this name.")
]

token = App(
    name="token",
    help="Create a token for a player, a server or an admin.",
    help_epilogue=examples("token player --app demo --subject alice", "TOKEN=$(scoreboard token server --app demo)"),
)


@token.command(
    help_epilogue=examples(
        "token player --app demo --subject alice", "token player --app demo --subject alice --days 0.5"
    )
)
def player(*, app: AppId, subject: Player, days: Days = 7, data: Data = None, json: Json = False) -> None:
    """Create a token for one player, who can read boards and send updates."""
    _create("player", app, subject, days, data, json=json)


@token.command(
    help_epilogue=examples(
        "TOKEN=$(scoreboard token server --app demo)",
        "token server --app demo --subject match-server-1 --days 30",
    )
)
def server(*, app: AppId, subject: Name = "server", days: Days = 365, data: Data = None, json: Json = False) -> None:
    """Create a token for a trusted server, which can read boards and update players."""
    _create("server", app, subject, days, data, json=json)


@token.command(help_epilogue=examples("token admin --app demo", "token admin --app '*'   for every app: the operator"))
def admin(*, app: AppId, subject: Name = "admin", days: Days = 30, data: Data = None, json: Json = False) -> None:
    """Create a token for an admin, who can also manage boards, actions and players."""
    _create("admin", app, subject, days, data, json=json)


def _create(role: Role, app: str, subject: str, days: float, data: Data, *, json: bool) -> None:
    ttl_s = days * DAY_S
    if not 1 <= ttl_s <= 100 * 365 * DAY_S:
        raise UsageError(f"--days must be more than 0 and at most 36500, not {days:g}")
    try:
        if app != ALL_APPS or role != "admin":
            identifiers.check_slug(app, codes.INVALID_APP)
        identifiers.check_player(subject)
    except Invalid as error:
        raise UsageError(str(error)) from error
    chosen = settings.load(data=data)
    if not chosen.data.exists():
        folder = chosen.data.resolve()
        output.note(f"Created the data folder {folder}. The token is valid only for a service that uses it.")
    created = tokens.issue(chosen, role=role, app=app, subject=subject, ttl_s=int(ttl_s))
    if json:
        output.json({"token": created, "role": role, "app": app, "subject": subject, "expires_in_s": int(ttl_s)})
    else:
        print(created)
