"""Checks before an update is routed. A check is one file here and one row of CHECKS."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from scoreboard.application.ports.authentication import Principal
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Submission


class Draft(NamedTuple):
    """A resolved request that is not accepted yet."""

    principal: Principal
    request: UpdateRequest
    submission: Submission


class Check(Protocol):
    """A condition that is decided before routing. A check is made for one board."""

    async def check(self, draft: Draft) -> None:
        """Return if the update may go on. Raise a ScoreboardError with a stable code if not; nothing has happened yet.

        Raise Unavailable where that cannot be decided: it fails the whole request, and the client retries.
        """
        ...


CheckFactory: TypeAlias = Callable[[Board], Check | None]
"""Makes the check of a board. Returns None where the board does not ask for it."""

CHECKS: tuple[CheckFactory, ...] = ()
"""In the order in which they are decided. The first refusal wins."""
