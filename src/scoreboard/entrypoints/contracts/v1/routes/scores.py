"""Updates: a single one, a batch, and the outcome of one."""

import re

import msgspec

from scoreboard.application.ports.rate_limiter import RateLimitStatus
from scoreboard.application.updates.outcomes import EventOutcome, Outcomes
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.application.updates.submit import ItemResult, Submit, UpdateResult
from scoreboard.domain import codes, errors, event_id, instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.domain.submission import Outcome
from scoreboard.entrypoints.contracts.v1 import schema
from scoreboard.entrypoints.contracts.v1.entries import encode_score
from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.json_body import decode_json, encode_json, json_response
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

UNACCEPTED = (codes.OVERLOADED, codes.SHUTTING_DOWN, codes.QUEUE_UNAVAILABLE)
UPDATE_ERRORS = (
    *(codes.INVALID_PLAYER, codes.WRONG_PLAYER, codes.VALUE_NOT_ALLOWED, codes.RATE_LIMITED, codes.NOT_STORABLE),
    *(codes.INVALID_IDEMPOTENCY_KEY, codes.KEY_REUSED, codes.KEY_SPENT),
    *(codes.ONE_VALUE, codes.OPERATOR_MISMATCH, codes.VALUE_OUT_OF_BOUNDS, codes.TOTAL_OUT_OF_BOUNDS),
    *(codes.UNKNOWN_ACTION, codes.ACTION_LIMIT, codes.ACTION_COOLDOWN, codes.UNKNOWN_REGION, codes.METADATA_TOO_BIG),
    *UNACCEPTED,
)
_WAIT = re.compile(r"wait=[0-9]{1,4}")

_update_decoder = msgspec.json.Decoder(schema.ScoreUpdate)
_batch_decoder = msgspec.json.Decoder(schema.Batch)


class ScoreRoutes:
    def __init__(self, submit: Submit, outcomes: Outcomes) -> None:
        self._submit = submit
        self._outcomes = outcomes

    @endpoint(
        "POST",
        "/v1/apps/{app}/boards/{board}/scores",
        name="updateScore",
        tag="scores",
        policy="update_score",
        body=schema.ScoreUpdate,
        responses={200: schema.Applied, 202: schema.Accepted},
        errors=UPDATE_ERRORS,
        request_headers=["Idempotency-Key", "Prefer"],
        response_headers=[
            *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
            *("Idempotent-Replayed", "Preference-Applied", "Location"),
        ],
    )
    async def one(self, context: RequestContext) -> Response:
        """Update a player's score.

        The response has the new score and rank. Send exactly one of `action`, `increment` and `score`. The server
        determines the points of an action. `increment` is for boards with the operator `increment`, `score` for `best`
        and `latest`. An increment of 0 creates a standing.

        A success means that the update is on disk and survives a crash. With an `Idempotency-Key` a repeated request
        returns the first outcome (`Idempotent-Replayed: true`), and the update is counted once. So repeat the request
        whenever its outcome is unknown. With `Prefer: respond-async` the response is 202 once the update is durable;
        the address in `outcome` has its result. A refused request has changed nothing.

        **Cost**: one update of the credential's rate limit (the `RateLimit` headers), and a part of one disk write,
        which simultaneous updates share.
        """
        app, board = context.path
        body = await context.body()
        request = _to_request(decode_json(_update_decoder, body), body, context.header("Idempotency-Key"))
        prefer = context.header("Prefer")
        prefer_async = None if prefer is None else _prefers_async(prefer)
        result = await self._submit.one(context.principal, app, board, request, prefer_async=prefer_async)
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
        return Response(200, encode_json(_applied(result)), headers)

    @endpoint(
        "POST",
        "/v1/apps/{app}/boards/{board}/scores/batch",
        name="updateScores",
        tag="scores",
        policy="update_scores",
        body=schema.Batch,
        responses={200: schema.BatchResult},
        errors=[codes.SERVER_ONLY, codes.INVALID_IDEMPOTENCY_KEY, codes.RATE_LIMITED, *UNACCEPTED],
        request_headers=["Idempotency-Key"],
    )
    async def many(self, context: RequestContext) -> Response:
        """Update up to 1,000 scores of a board, in order.

        All updates are applied in one transaction, and the response is sent once it is on disk. Each update has its own
        result, in the order of the request: `applied` with the new score, or `refused` with a `code`. A refused update
        does not affect the others. Results have no ranks.

        If the board is `queued` and the server has a queue, valid updates are `accepted` into the queue. Their outcome
        is at the address of their event. A `replayed` update was sent before, and its result has the first event.

        To make retries safe, give each update an `idempotency_key`, or send the `Idempotency-Key` header for the whole
        batch. With the header, the key of an update is the batch's key with the update's index.

        **Cost**: one update of the rate limit per item, with far less work for the server than single updates.
        """
        app, board_id = context.path
        sender = self._submit.batch_sender(context.principal, app)
        updates = decode_json(_batch_decoder, await context.body(schema.BATCH_BYTES)).updates
        key = context.header("Idempotency-Key")
        requests = [_to_batch_request(item, keyed=key is not None) for item in updates]
        board, items, deferred, _ = await self._submit.many(sender, board_id, requests, key)
        results = [_item(board, item, result, deferred=deferred) for item, result in zip(updates, items, strict=True)]
        applied, accepted, refused = (
            sum(isinstance(result, kind) for result in results)
            for kind in (schema.BatchApplied, schema.BatchAccepted, schema.BatchRefused)
        )
        return Response(200, encode_json(schema.BatchResult(applied, refused, results, accepted)))

    @endpoint(
        "GET",
        "/v1/apps/{app}/events/{event}",
        name="getEvent",
        tag="scores",
        policy="read_outcome",
        responses={200: schema.Event},
        errors=[codes.INVALID_EVENT],
    )
    async def event(self, context: RequestContext) -> Response:
        """Get the outcome of an update.

        The outcome is `applied` with the score, or `refused` with a code. It never changes. An update with the response
        202 may be `pending` for a while; until it has an outcome, board, player and season are null.

        **Cost**: one read by key.
        """
        app, event = context.path
        return json_response(_event(await self._outcomes.get(context.principal, app, event)))


def batch_applied(board: Board, outcome: Outcome) -> schema.BatchApplied:
    """Return the result of an applied update in a batch."""
    return schema.BatchApplied(
        outcome.player,
        event_id.to_text(outcome.event),
        encode_score(board, outcome.score),
        None if outcome.previous_score is None else encode_score(board, outcome.previous_score),
        outcome.changed,
        outcome.replayed,
    )


def _to_request(update: schema.ScoreUpdate, raw: bytes, key: str | None) -> UpdateRequest:
    metadata = None if update.metadata is msgspec.UNSET else bytes(update.metadata)
    increment = None if update.increment is None else int(update.increment)
    score = None if update.score is None else int(update.score)
    return UpdateRequest(raw, update.player, update.action, increment, score, update.region, metadata, key)


def _to_batch_request(item: schema.BatchItem, *, keyed: bool) -> UpdateRequest:
    """Return the request of an item; the key of a `keyed` batch covers all items."""
    raw = encode_json(item) if keyed or item.idempotency_key is not None else b""
    return _to_request(item, raw, item.idempotency_key)


def _prefers_async(prefer: str) -> bool | None:
    """Return whether the client prefers 202 (RFC 7240), or None without preference."""
    if "respond-async" in prefer:
        return True
    return False if _WAIT.search(prefer) else None


def _applied(result: UpdateResult) -> schema.Applied:
    board, outcome, rank = result.board, result.outcome, result.rank
    previous = outcome.previous_score
    return schema.Applied(
        event_id.to_text(outcome.event),
        "applied",
        outcome.player,
        board.slug,
        outcome.season,
        encode_score(board, outcome.score),
        None if previous is None else encode_score(board, previous),
        outcome.changed,
        None if rank is None else rank.rank,
        None if rank is None else rank.previous_rank,
        result.rank_state,
        instant.to_text(outcome.accepted_at),
    )


def _accepted(app: str, outcome: Outcome, headers: bytes) -> Response:
    event = event_id.to_text(outcome.event)
    address = f"/v1/apps/{app}/events/{event}"
    body = encode_json(schema.Accepted(event, "accepted", address))
    return Response(202, body, headers + f"Location: {address}\r\n".encode())


def _refusal(outcome: Outcome) -> ScoreboardError:
    kind = errors.NotFound if outcome.code == "board_not_found" else errors.Refused
    return kind(outcome.code, outcome.detail, retry_after_s=outcome.retry_after_s)


def _item(
    board: Board, item: schema.BatchItem, result: ItemResult, *, deferred: bool
) -> schema.BatchApplied | schema.BatchAccepted | schema.BatchRefused:
    if isinstance(result, ScoreboardError):
        return schema.BatchRefused(item.player, result.code, result.detail)
    outcome = result.outcome
    if outcome.status == "pending" or (deferred and outcome.replayed):
        return schema.BatchAccepted(outcome.player, event_id.to_text(outcome.event), outcome.replayed)
    if outcome.status == "refused":
        return schema.BatchRefused(outcome.player, outcome.code, outcome.detail)
    return batch_applied(board, outcome)


def _event(found: EventOutcome) -> schema.Event:
    event, outcome, board = found
    if outcome is None or board is None:
        accepted_at = instant.to_text(event_id.accepted_at(event))
        return schema.Event(event_id.to_text(event), "pending", None, None, None, accepted_at)
    response = schema.Event(
        event_id.to_text(event),
        outcome.status,
        board.slug,
        outcome.player,
        outcome.season,
        instant.to_text(outcome.accepted_at),
    )
    if outcome.status == "refused":
        response.code, response.detail = outcome.code, outcome.detail
    else:
        response.score = encode_score(board, outcome.score)
        response.previous_score = (
            None if outcome.previous_score is None else encode_score(board, outcome.previous_score)
        )
    return response


def _rate_headers(status: RateLimitStatus) -> bytes:
    limit, remaining, reset_s, _ = status
    return b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n" % (
        limit,
        remaining,
        int(reset_s) + 1,
    )
