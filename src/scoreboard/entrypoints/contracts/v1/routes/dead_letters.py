"""Dead letters: the operator reads, requeues or drops failed updates."""

from functools import partial

import msgspec

from scoreboard.application.updates.dead_letters import DeadLetter, DeadLetters
from scoreboard.domain import codes, event_id, instant
from scoreboard.domain.submission import Submission
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import encode_score
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

_endpoint = partial(
    endpoint, tag="dead letters", policy="manage_dead_letters", errors=(codes.OPERATOR_ONLY, codes.QUEUE_UNAVAILABLE)
)


class DeadLetterRoutes:
    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    @_endpoint(
        "GET",
        "/v1/dead-letters",
        name="listDeadLetters",
        query=schema.DeadLettersQuery,
        responses={200: schema.DeadLetterList},
    )
    async def list(self, context: RequestContext) -> Response:
        """List the oldest dead letters, with the reason of each.

        A dead letter is a message of the queue whose updates could not be applied. A server without a queue has none.
        """
        letters = await self._letters.list(context.principal, context.query(schema.DeadLettersQuery).limit)
        return json_response(schema.DeadLetterList([_letter(letter) for letter in letters]))

    @_endpoint("GET", "/v1/dead-letters/{letter}", name="getDeadLetter", responses={200: schema.DeadLetterDetails})
    async def get(self, context: RequestContext) -> Response:
        """Get a dead letter with its updates.

        Only the 1,000 oldest dead letters can be read. `updates` is null if the message is unreadable.
        """
        letter = await self._letters.get(context.principal, context.path[0])
        updates = None if letter.submissions is None else [_update(submission) for submission in letter.submissions]
        return json_response(schema.DeadLetterDetails(**msgspec.structs.asdict(_letter(letter)), updates=updates))

    @_endpoint("POST", "/v1/dead-letters/{letter}/retry", name="retryDeadLetter", responses={204: None})
    async def retry(self, context: RequestContext) -> Response:
        """Requeue a dead letter.

        The message returns to the queue with its full number of attempts. Updates that were already applied are not
        counted twice. If the message fails again, it becomes a dead letter again.
        """
        await self._letters.requeue(context.principal, context.path[0])
        return Response(204)

    @_endpoint("DELETE", "/v1/dead-letters/{letter}", name="dropDeadLetter", responses={204: None})
    async def drop(self, context: RequestContext) -> Response:
        """Delete a dead letter, and refuse its updates.

        Its updates without an outcome are refused with the code `dropped`, as the addresses of their events then show.
        This cannot be undone.
        """
        await self._letters.drop(context.principal, context.path[0])
        return Response(204)


def _letter(letter: DeadLetter) -> schema.DeadLetter:
    count = None if letter.submissions is None else len(letter.submissions)
    return schema.DeadLetter(letter.id, letter.reason, instant.to_text(letter.since), letter.attempts, count)


def _update(submission: Submission) -> schema.DeadLetterUpdate:
    return schema.DeadLetterUpdate(
        app=submission.board.app.slug,
        board=submission.board.slug,
        player=submission.player,
        event=event_id.to_text(submission.event),
        accepted_at=instant.to_text(submission.accepted_at),
        value=encode_score(submission.board, submission.value),
    )
