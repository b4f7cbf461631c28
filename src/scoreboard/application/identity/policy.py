"""The policy table: what each use case demands of a principal. Endpoints name the row that they fall under."""

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
    """What a use case demands. The default is a principal of the same app (or the operator) with the permission.

    `permission`: None demands nothing, not even a principal. `public_boards`: a public board demands nothing.
    `operator`: the operator alone. `trusted`: a server or an admin, not a player. `others`: whether a player may use
    it for another player; `hidden` answers as if there were nothing.
    """

    permission: str | None
    public_boards: bool = False
    operator: bool = False
    trusted: bool = False
    others: Literal["allowed", "forbidden", "hidden"] = "allowed"


POLICY: Mapping[UseCase, Requirement] = {
    "use_service": Requirement(None),
    "update_score": Requirement(UPDATE_SCORE, others="forbidden"),
    "update_scores": Requirement(UPDATE_SCORE, trusted=True),
    "read_outcome": Requirement(UPDATE_SCORE, others="hidden"),
    "read_standings": Requirement(READ_LEADERBOARD, public_boards=True),
    "manage_app": Requirement(ADMIN),
    "manage_records": Requirement(ADMIN),
    "manage_apps": Requirement(ADMIN, operator=True),
    "manage_dead_letters": Requirement(ADMIN, operator=True),
}
