"""Tokens, as the command line mints them: the credential behind each role."""

from scoreboard.adapters.jose.access import JwtAccess
from scoreboard.application.ports.authentication import EVERY_APP, Credential, Role, Scope
from scoreboard.bootstrap import data_dir
from scoreboard.bootstrap.keys import read_signing_key
from scoreboard.bootstrap.settings import Settings

SCOPES: dict[Role, frozenset[Scope]] = {
    "player": frozenset({"update:score", "read:leaderboard"}),
    "server": frozenset({"update:score", "read:leaderboard"}),
    "admin": frozenset({"update:score", "read:leaderboard", "admin"}),
}


def credential(role: Role, app: str, subject: str) -> Credential:
    """Return the credential that a token of this role stands for. Only an admin's may be for every app."""
    if app == EVERY_APP and role != "admin":
        raise ValueError("only an admin's token can be for every app")
    return Credential(app, subject, role, SCOPES[role])


def mint(settings: Settings, *, role: Role, app: str, subject: str, ttl_s: int) -> str:
    """Return a token made with the settings' key; that of the data folder is made when there is none."""
    data_dir.make(settings.data)
    with data_dir.usable(settings.data):
        return JwtAccess(read_signing_key(settings)).mint(credential(role, app, subject), ttl_s)
