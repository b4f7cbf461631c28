"""Checks of updates before routing: each has a file here and a row in CHECKS."""

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
        """Raise a ScoreboardError with a stable code to refuse the update.

        Nothing has been written at this point. Raise Unavailable if the check cannot decide. That fails the whole
        request, and the client retries.
        """


CheckFactory: TypeAlias = Callable[[Board], Check | None]
"""Creates the check of a board, or returns None where the board does not need it."""

CHECKS: tuple[CheckFactory, ...] = ()
"""The checks in the order in which they run. The first refusal wins."""
