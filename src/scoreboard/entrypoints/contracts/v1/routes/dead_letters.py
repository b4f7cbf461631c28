"""Dead letters: queued updates that could not be applied, for the operator to look at, send again or drop."""

import msgspec
from aiohttp import web

from scoreboard.application.updates.dead_letters import DeadLetter, DeadLetters
from scoreboard.domain import event_id, instant
from scoreboard.domain.submission import Submission
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import score_text
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

_encode = msgspec.json.Encoder().encode
_UNCACHED = b"Cache-Control: no-store\r\n"
_ERRORS = ("operator_only", "queue_unavailable")


class DeadLetterRoutes:
    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def routes(self) -> list[Endpoint]:
        letters = "/v1/dead-letters"
        return [
            Endpoint(
                "GET",
                letters,
                "listDeadLetters",
                "The oldest dead letters",
                self.list,
                "dead letters",
                "manage_dead_letters",
                query=schema.DeadLettersQuery,
                replies={200: schema.DeadLetterList},
                errors=_ERRORS,
            ),
            Endpoint(
                "GET",
                f"{letters}/{{letter}}",
                "getDeadLetter",
                "Read a dead letter",
                self.get,
                "dead letters",
                "manage_dead_letters",
                replies={200: schema.OpenedDeadLetter},
                errors=_ERRORS,
            ),
            Endpoint(
                "POST",
                f"{letters}/{{letter}}/retry",
                "retryDeadLetter",
                "Apply the updates of a dead letter as if they had just come",
                self.retry,
                "dead letters",
                "manage_dead_letters",
                replies={204: None},
                errors=_ERRORS,
            ),
            Endpoint(
                "DELETE",
                f"{letters}/{{letter}}",
                "dropDeadLetter",
                "Refuse the updates of a dead letter for good",
                self.drop,
                "dead letters",
                "manage_dead_letters",
                replies={204: None},
                errors=_ERRORS,
            ),
        ]

    async def list(self, call: RequestContext) -> web.StreamResponse:
        """Messages of the queue whose updates could not be applied, the oldest first, and why. A server without a queue
        has none.

        - **Who**: the operator (an admin's token for every app).
        """
        found = await self._letters.list(call.principal, call.query(schema.DeadLettersQuery).limit)
        return Response(200, _encode(schema.DeadLetterList([_told(letter) for letter in found])), _UNCACHED)

    async def get(self, call: RequestContext) -> web.StreamResponse:
        """One of the 1,000 oldest, with its updates; they are null when the message cannot be opened.

        - **Who**: the operator (an admin's token for every app).
        """
        letter = await self._letters.get(call.principal, call.path[0])
        updates = None if letter.submissions is None else [_update(one) for one in letter.submissions]
        opened = schema.OpenedDeadLetter(**msgspec.structs.asdict(_told(letter)), updates=updates)
        return Response(200, _encode(opened), _UNCACHED)

    async def retry(self, call: RequestContext) -> web.StreamResponse:
        """It goes back into the queue with all its attempts before it. What was applied before is not counted again;
        what fails again becomes a dead letter again.

        - **Who**: the operator (an admin's token for every app).
        """
        await self._letters.requeue(call.principal, call.path[0])
        return Response(204)

    async def drop(self, call: RequestContext) -> web.StreamResponse:
        """Its updates that have no outcome yet are refused (`dropped`), as their event addresses then say, and the
        letter is gone. This cannot be undone.

        - **Who**: the operator (an admin's token for every app).
        """
        await self._letters.drop(call.principal, call.path[0])
        return Response(204)


def _told(letter: DeadLetter) -> schema.DeadLetter:
    count = None if letter.submissions is None else len(letter.submissions)
    return schema.DeadLetter(letter.id, letter.reason, instant.to_text(letter.since), letter.attempts, count)


def _update(one: Submission) -> schema.DeadUpdate:
    return schema.DeadUpdate(
        app=one.board.app.slug,
        board=one.board.slug,
        player=one.player,
        event=event_id.to_text(one.event),
        accepted_at=instant.to_text(one.accepted_at),
        value=score_text(one.board, one.value),
    )
