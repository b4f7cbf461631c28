"""Updates: one, a batch, and the outcome of one."""

import re

import msgspec
from aiohttp import web

from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.application.updates.outcomes import EventOutcome, Outcomes
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.application.updates.submit import ItemResult, Submit, UpdateResult
from scoreboard.domain import errors, event_id, instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.domain.submission import Outcome
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import score_text
from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.json_body import decode_json
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

BATCH_BYTES = 4 * 1024 * 1024
TAKING = ("overloaded", "shutting_down", "queue_unavailable")  # when nothing more can be accepted
UPDATE_ERRORS = (
    *("invalid_player", "wrong_player", "invalid_idempotency_key", "key_reused", "key_spent", "rate_limited"),
    *("one_value", "operator_mismatch", "unknown_action", "unknown_region", "metadata_too_big", "value_not_allowed"),
    *("value_out_of_bounds", "total_out_of_bounds", "action_limit", "action_cooldown", "not_storable"),
    *TAKING,
)
_WAIT = re.compile(r"wait=[0-9]{1,4}")

_encode = msgspec.json.Encoder().encode
_update = msgspec.json.Decoder(schema.ScoreUpdate)
_batch = msgspec.json.Decoder(schema.Batch)


class ScoreRoutes:
    def __init__(self, submit: Submit, outcomes: Outcomes) -> None:
        self._submit = submit
        self._outcomes = outcomes

    def routes(self) -> list[Endpoint]:
        board = "/v1/apps/{app}/boards/{board}"
        return [
            Endpoint(
                "POST",
                f"{board}/scores",
                "updateScore",
                "Update a player's score",
                self.one,
                "scores",
                "update_score",
                body=schema.ScoreUpdate,
                headers=("Idempotency-Key", "Prefer"),
                replies={200: schema.Applied, 202: schema.Accepted},
                sends=(
                    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
                    *("Idempotent-Replayed", "Preference-Applied", "Location"),
                ),
                errors=UPDATE_ERRORS,
            ),
            Endpoint(
                "POST",
                f"{board}/scores/batch",
                "updateScores",
                "Update up to 1,000 scores, in order, from a trusted server",
                self.many,
                "scores",
                "update_scores",
                body=schema.Batch,
                headers=("Idempotency-Key",),
                replies={200: schema.BatchAnswer},
                errors=("server_only", "invalid_idempotency_key", "rate_limited", *TAKING),
            ),
            Endpoint(
                "GET",
                "/v1/apps/{app}/events/{event}",
                "getEvent",
                "The outcome of one update",
                self.event,
                "scores",
                "read_outcome",
                replies={200: schema.Event},
                errors=("invalid_event",),
            ),
        ]

    async def one(self, call: RequestContext) -> web.StreamResponse:
        """Count one update, and tell the player's new score and rank.

        Send exactly one of `action`, `increment` and `score`. An action is worth what the server says; `increment` goes
        to boards with the operator `increment`, `score` to `best` and `latest`. An increment of 0 makes a standing.

        A success means that the update is on the disk: no crash loses it. With an `Idempotency-Key` a repeated request
        is answered with the first outcome (`Idempotent-Replayed: true`) and never counted again, so repeat it whenever
        you do not know what became of it. `Prefer: respond-async` asks for 202 as soon as it cannot be lost; the
        outcome is then at the address in `outcome`. A refusal has changed nothing.

        - **Who**: a server's or admin's token, for every player; a player's token, for that player, with actions only
          unless the board has `player_values`.
        - **Cost**: one update of the credential's allowance (the `RateLimit` headers), and a part of one disk write,
          which updates that arrive together share.
        """
        app, board = call.path
        body = await call.body()
        request = _to_request(decode_json(_update, body), body, call.header("Idempotency-Key"))
        prefer = call.header("Prefer")
        prefer_async = None if prefer is None else _preference(prefer)
        result = await self._submit.one(call.principal, app, board, request, prefer_async=prefer_async)
        outcome = result.outcome
        headers = b"" if result.rate is None else _rate_headers(result.rate)
        if outcome.replayed:
            headers += b"Idempotent-Replayed: true\r\n"
        if prefer_async is not None:
            headers += b"Preference-Applied: %b\r\n" % (b"respond-async" if prefer_async else b"wait")
        if result.deferred and outcome.recorded:
            return _accepted(app, outcome, headers)
        if outcome.status == "refused":
            refusal = render_error(_refusal(outcome))
            refusal.add(headers)
            return refusal
        return Response(200, _encode(_applied(result)), headers)

    async def many(self, call: RequestContext) -> web.StreamResponse:
        """Count up to 1,000 updates of one board, in their order, in one transaction.

        Each has its own result, in the order sent: applied with the new score, or refused with a `code`; one that is
        refused takes no other with it. On a board that is `queued`, where the server has a queue, those that are fine
        are `accepted`: in the queue, with an event whose outcome follows. One that is `replayed` was sent before, and
        is told under its first event.

        Ranks are not told. The whole answer is given when all that was applied is on the disk. An update is made
        repeatable by its `idempotency_key`, or for the whole batch by the header: each update then has this key and its
        place.

        - **Who**: a server's or admin's token.
        - **Cost**: as many updates of the allowance as the batch has; far cheaper for the server than one by one.
        """
        app, board_id = call.path
        sender = self._submit.batch_sender(call.principal, app)
        updates = decode_json(_batch, await call.body(BATCH_BYTES)).updates
        key = call.header("Idempotency-Key")
        requests = [_to_batch_request(item, keyed=key is not None) for item in updates]
        board, results, deferred, _ = await self._submit.many(sender, board_id, requests, key)
        answers = [
            _batch_answer(board, item, result, deferred=deferred) for item, result in zip(updates, results, strict=True)
        ]
        applied, accepted, refused = (
            sum(isinstance(answer, kind) for answer in answers)
            for kind in (schema.BatchApplied, schema.BatchAccepted, schema.BatchRefused)
        )
        return Response(200, _encode(schema.BatchAnswer(applied, refused, answers, accepted)))

    async def event(self, call: RequestContext) -> web.StreamResponse:
        """What became of one update: `applied` with its score, or `refused` with its code, and for ever the same.

        One that was answered with 202 may be `pending` at first; then board, player and season are null.

        - **Who**: a token of the app that may update; a player's token sees that player's updates only.
        - **Cost**: one read by key.
        """
        app, event = call.path
        found = await self._outcomes.get(call.principal, app, event)
        return Response(200, _encode(_event(found)), b"Cache-Control: no-store\r\n")


def _to_request(update: schema.ScoreUpdate, raw: bytes, key: str | None) -> UpdateRequest:
    metadata = None if update.metadata is msgspec.UNSET else bytes(update.metadata)
    increment = None if update.increment is None else int(update.increment)
    score = None if update.score is None else int(update.score)
    return UpdateRequest(raw, update.player, update.action, increment, score, update.region, metadata, key)


def _to_batch_request(item: schema.BatchItem, *, keyed: bool) -> UpdateRequest:
    """`keyed`: the batch has a key, which stands for the body of each item without a key of its own."""
    raw = _encode(item) if keyed or item.idempotency_key is not None else b""
    return _to_request(item, raw, item.idempotency_key)


def _preference(prefer: str) -> bool | None:
    """Whether to answer 202, as the client would have it (RFC 7240); None leaves it to the board's setting."""
    if "respond-async" in prefer:
        return True
    return False if _WAIT.search(prefer) else None


def _applied(result: UpdateResult) -> schema.Applied:
    board, outcome, placed = result.board, result.outcome, result.rank
    previous = outcome.previous_score
    return schema.Applied(
        event_id.to_text(outcome.event),
        "applied",
        outcome.player,
        board.slug,
        outcome.season,
        score_text(board, outcome.score),
        None if previous is None else score_text(board, previous),
        outcome.changed,
        None if placed is None else placed.rank,
        None if placed is None else placed.previous_rank,
        result.rank_state,
        instant.to_text(outcome.accepted_at),
    )


def _accepted(app: str, outcome: Outcome, headers: bytes) -> Response:
    event = event_id.to_text(outcome.event)
    address = f"/v1/apps/{app}/events/{event}"
    return Response(
        202, _encode(schema.Accepted(event, "accepted", address)), headers + f"Location: {address}\r\n".encode()
    )


def _refusal(outcome: Outcome) -> ScoreboardError:
    kind = errors.NotFound if outcome.code == "board_not_found" else errors.Refused
    return kind(outcome.code, outcome.detail, retry_after_s=outcome.retry_after_s)


def _batch_answer(
    board: Board, item: schema.BatchItem, result: ItemResult, *, deferred: bool
) -> schema.BatchApplied | schema.BatchAccepted | schema.BatchRefused:
    if isinstance(result, ScoreboardError):
        return schema.BatchRefused(item.player, result.code, result.detail)
    outcome = result.outcome
    if outcome.status == "pending" or (deferred and outcome.replayed):
        return schema.BatchAccepted(outcome.player, event_id.to_text(outcome.event), outcome.replayed)
    if outcome.status == "refused":
        return schema.BatchRefused(outcome.player, outcome.code, outcome.detail)
    return schema.BatchApplied(
        outcome.player,
        event_id.to_text(outcome.event),
        score_text(board, outcome.score),
        None if outcome.previous_score is None else score_text(board, outcome.previous_score),
        outcome.changed,
        outcome.replayed,
    )


def _event(found: EventOutcome) -> schema.Event:
    event, outcome, board = found
    if outcome is None or board is None:
        accepted_at = instant.to_text(event_id.accepted_at(event))
        return schema.Event(event_id.to_text(event), "pending", None, None, None, accepted_at)
    answer = schema.Event(
        event_id.to_text(event),
        outcome.status,
        board.slug,
        outcome.player,
        outcome.season,
        instant.to_text(outcome.accepted_at),
    )
    if outcome.status == "refused":
        answer.code, answer.detail = outcome.code, outcome.detail
    else:
        answer.score = score_text(board, outcome.score)
        answer.previous_score = None if outcome.previous_score is None else score_text(board, outcome.previous_score)
    return answer


def _rate_headers(allowance: RateLimitStatus) -> bytes:
    limit, remaining, reset_s, _ = allowance
    return b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n" % (
        limit,
        remaining,
        int(reset_s) + 1,
    )
