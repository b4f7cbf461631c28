"""The policy table: the requirements of use cases. Each endpoint names its row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

UPDATE_SCORE = "update:score"
READ_LEADERBOARD = "read:leaderboard"
ADMIN = "admin"

UseCase = Literal[
    "use_service",
    "update_score",
    "update_scores",
    "read_outcome",
    "read_standings",
    "manage_app",
    "manage_records",
    "manage_apps",
    "manage_dead_letters",
]


@dataclass(frozen=True, slots=True)
class Requirement:
    """The requirement of a use case.

    A principal needs the `permission`, and must belong to the same app or be the operator. Without a `permission`, no
    principal is needed, and with `public_boards` none is needed for a public board. `operator` requires the operator.
    `trusted` requires a server or an admin. `others` states whether a player may use it for another player; `hidden`
    behaves as if the other player had no data. `access` says the same to users, in the description of an API.
    """

    permission: str | None
    access: str = ""
    public_boards: bool = False
    operator: bool = False
    trusted: bool = False
    others: Literal["allowed", "forbidden", "hidden"] = "allowed"


ADMIN_ACCESS = "the app's admin."
OPERATOR_ACCESS = "the operator (an admin's token for all apps)."

POLICY: Mapping[UseCase, Requirement] = {
    "use_service": Requirement(None),
    "update_score": Requirement(
        UPDATE_SCORE,
        "a server's or admin's token for every player. A player's token for that player, with actions only unless the "
        "board has `player_values`.",
        others="forbidden",
    ),
    "update_scores": Requirement(UPDATE_SCORE, "a server's or admin's token.", trusted=True),
    "read_outcome": Requirement(
        UPDATE_SCORE,
        "a token that may update scores of the app. A player's token sees only its own updates.",
        others="hidden",
    ),
    "read_standings": Requirement(
        READ_LEADERBOARD, "everyone for a public board, otherwise any token of the app.", public_boards=True
    ),
    "manage_app": Requirement(ADMIN, ADMIN_ACCESS),
    "manage_records": Requirement(ADMIN, ADMIN_ACCESS),
    "manage_apps": Requirement(ADMIN, OPERATOR_ACCESS, operator=True),
    "manage_dead_letters": Requirement(ADMIN, OPERATOR_ACCESS, operator=True),
}
