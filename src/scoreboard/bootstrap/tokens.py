"""Tokens that the command line issues."""

from scoreboard.adapters.jose.tokens import JwtIssuer
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.bootstrap import data_dir
from scoreboard.bootstrap.keys import read_signing_key
from scoreboard.bootstrap.settings import Settings


def issue(settings: Settings, *, role: Role, app: str, subject: str, ttl_s: int) -> str:
    """Return a new token, signed with the key of the settings or the data folder."""
    data_dir.create(settings.data)
    with data_dir.translate_errors(settings.data):
        return JwtIssuer(read_signing_key(settings)).sign(principal_of(role, app, subject), ttl_s)
