"""Look-up of the outcome of an update by its event."""

from typing import NamedTuple

from scoreboard.application.identity.authorization import authorize
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.domain import codes, event_id
from scoreboard.domain.board import Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.submission import Outcome


class EventOutcome(NamedTuple):
    """An event with its outcome and board. Both are None while it waits in the queue."""

    event: EventId
    outcome: Outcome | None
    board: Board | None


class Outcomes:
    """The use case of clients that read outcomes.

    The ids of queued events are signed with `event_key`, which is empty without a queue.
    """

    def __init__(self, directory: Directory, ledger: Ledger, event_key: bytes = b"") -> None:
        self._directory = directory
        self._ledger = ledger
        self._event_key = event_key

    async def get(self, principal: Principal | None, app_id: str, event_text: str) -> EventOutcome:
        """Return an event's outcome. Raises NotFound, also for another player's event."""
        principal = authorize(principal, "read_outcome", app_id)
        app = await self._directory.app(app_id)
        event = event_id.from_text(event_text)
        outcome = await self._ledger.outcome(app, event)
        if outcome is None and self._event_key and event_id.is_signed(event, self._event_key, app.pk):
            return EventOutcome(event, None, None)
        if outcome is not None and not (principal.role == "player" and principal.subject != outcome.player):
            for board in await self._directory.boards(app):
                if board.pk == outcome.board:
                    return EventOutcome(event, outcome, board)
        raise codes.EVENT_NOT_FOUND.error("this app has no such event")
