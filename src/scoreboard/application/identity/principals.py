"""The principals that this service issues tokens for, by role."""

from collections.abc import Mapping

from scoreboard.application.identity.policy import ADMIN, READ_LEADERBOARD, UPDATE_SCORE
from scoreboard.application.ports.authentication import ALL_APPS, Principal, Role

PERMISSIONS: Mapping[Role, frozenset[str]] = {
    "player": frozenset({UPDATE_SCORE, READ_LEADERBOARD}),
    "server": frozenset({UPDATE_SCORE, READ_LEADERBOARD}),
    "admin": frozenset({UPDATE_SCORE, READ_LEADERBOARD, ADMIN}),
}


def principal_of(role: Role, app: str, subject: str) -> Principal:
    """Return a principal. Raises ValueError if its role cannot be for all apps."""
    if app == ALL_APPS and role != "admin":
        raise ValueError("only an admin's token can be for every app")
    return Principal(app, subject, role, PERMISSIONS[role])
