"""Tokens, as the command line mints them."""

from scoreboard.adapters.jose.tokens import JwtIssuer
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.bootstrap import data_dir
from scoreboard.bootstrap.keys import read_signing_key
from scoreboard.bootstrap.settings import Settings


def mint(settings: Settings, *, role: Role, app: str, subject: str, ttl_s: int) -> str:
    """Return a token made with the settings' key; that of the data folder is made when there is none."""
    data_dir.make(settings.data)
    with data_dir.usable(settings.data):
        return JwtIssuer(read_signing_key(settings)).sign(principal_of(role, app, subject), ttl_s)
