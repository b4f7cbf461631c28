"""Updates: one, a batch, and the outcome of one."""

import hashlib
import re

import msgspec
from aiohttp import web

from scoreboard.application.live.messages import score_text
from scoreboard.application.pipeline import authenticate
from scoreboard.application.pipeline.rank import Result
from scoreboard.application.pipeline.update import Answer, Update, Wish
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.limits import Allowance
from scoreboard.domain import errors, event_id, instant
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Forbidden, NotFound, ScoreboardError
from scoreboard.domain.submission import Outcome
from scoreboard.entrypoints.http import problems
from scoreboard.entrypoints.http.operations import Call, Operation, decoded
from scoreboard.entrypoints.http.reply import Reply
from scoreboard.entrypoints.http.v1 import schema

BATCH_BYTES = 4 * 1024 * 1024
MAX_PREFIX = 240  # characters of a batch's key, so that a place in the batch fits behind it
_WAIT = re.compile(r"wait=[0-9]{1,4}")

_encode = msgspec.json.Encoder().encode
_update = msgspec.json.Decoder(schema.ScoreUpdate)
_batch = msgspec.json.Decoder(schema.Batch)


class Scores:
    def __init__(self, update: Update, directory: Directory, ledger: Ledger) -> None:
        self._update = update
        self._directory = directory
        self._ledger = ledger

    def operations(self) -> list[Operation]:
        board = "/v1/apps/{app}/boards/{board}"
        return [
            Operation(
                "POST",
                f"{board}/scores",
                "updateScore",
                "Update a player's score",
                self.one,
                "scores",
                body=schema.ScoreUpdate,
                headers=("Idempotency-Key", "Prefer"),
                replies={200: schema.Applied, 202: schema.Accepted},
                errors=(409, 503),
            ),
            Operation(
                "POST",
                f"{board}/scores/batch",
                "updateScores",
                "Update up to 1,000 scores, in order, from a trusted server",
                self.many,
                "scores",
                body=schema.Batch,
                headers=("Idempotency-Key",),
                replies={200: schema.BatchAnswer},
                errors=(503,),
            ),
            Operation(
                "GET",
                "/v1/apps/{app}/events/{event}",
                "getEvent",
                "The outcome of one update",
                self.event,
                "scores",
                replies={200: schema.Event},
            ),
        ]

    async def one(self, call: Call) -> web.StreamResponse:
        app, board = call.path
        body = await call.body()
        wish = _wish(decoded(_update, body), body, call.header("Idempotency-Key"))
        answer = await self._update.one(call.credential(), app, board, wish)
        prefer = call.header("Prefer")
        outcome = answer.result.outcome
        headers = b"" if answer.allowance is None else _rate_headers(answer.allowance)
        if outcome.replayed:
            headers += b"Idempotent-Replayed: true\r\n"
        later = answer.board.consistency == "queued" if prefer is None else _later(prefer, answer.board)
        if prefer is not None and ("respond-async" in prefer or _WAIT.search(prefer)):
            headers += b"Preference-Applied: %b\r\n" % (b"respond-async" if later else b"wait")
        if later and outcome.recorded:
            return _accepted(app, outcome, headers)
        if outcome.status == "refused":
            refusal = problems.of_error(_refusal(outcome))
            refusal.add(headers)
            return refusal
        return Reply(200, _encode(_applied(answer)), headers)

    async def many(self, call: Call) -> web.StreamResponse:
        app, board_id = call.path
        credential = authenticate.require(call.credential(), app, "update:score")
        if credential.role == "player":
            raise Forbidden("server_only", "batches come from a server's token")
        updates = decoded(_batch, await call.body(BATCH_BYTES)).updates
        prefix = call.header("Idempotency-Key")
        wishes = [_batch_wish(item, prefix, place) for place, item in enumerate(updates)]
        board, results = await self._update.many(credential, app, board_id, wishes)
        answers = [_batch_answer(board, item, result) for item, result in zip(updates, results, strict=True)]
        applied = sum(isinstance(answer, schema.BatchApplied) for answer in answers)
        return Reply(200, _encode(schema.BatchAnswer(applied, len(answers) - applied, answers)))

    async def event(self, call: Call) -> web.StreamResponse:
        app_id, text = call.path
        credential = authenticate.require(call.credential(), app_id, "update:score")
        app = await self._directory.app(app_id)
        outcome = await self._ledger.outcome(app, event_id.from_text(text))
        if outcome is None or (credential.role == "player" and credential.subject != outcome.player):
            raise NotFound("event_not_found", "this app has no such event")
        board = next((board for board in await self._directory.boards(app) if board.number == outcome.board), None)
        if board is None:
            raise NotFound("event_not_found", "this app has no such event")
        return Reply(200, _encode(_event(board, outcome)), b"Cache-Control: no-store\r\n")


def _wish(update: schema.ScoreUpdate, raw: bytes, key: str | None) -> Wish:
    metadata = None if update.metadata is msgspec.UNSET else bytes(update.metadata)
    increment = None if update.increment is None else int(update.increment)
    score = None if update.score is None else int(update.score)
    return Wish(raw, update.player, update.action, increment, score, update.region, metadata, key)


def _batch_wish(item: schema.BatchItem, prefix: str | None, place: int) -> Wish:
    key = item.idempotency_key
    if key is None and prefix is not None:
        if len(prefix) > MAX_PREFIX:
            prefix = hashlib.sha256(prefix.encode()).hexdigest()
        key = f"{prefix}/{place}"
    return _wish(item, b"" if key is None else _encode(item), key)


def _later(prefer: str, board: Board) -> bool:
    """Whether to answer 202: the client's preference before the board's setting. What is embedded is done by then."""
    if "respond-async" in prefer:
        return True
    return board.consistency == "queued" and not _WAIT.search(prefer)


def _applied(answer: Answer) -> schema.Applied:
    outcome, placed, state = answer.result
    board = answer.board
    previous = outcome.previous_score
    return schema.Applied(
        event_id.to_text(outcome.event),
        "applied",
        outcome.player,
        board.board,
        outcome.season,
        score_text(board, outcome.score),
        None if previous is None else score_text(board, previous),
        outcome.changed,
        None if placed is None else placed.rank,
        None if placed is None else placed.previous_rank,
        state,
        instant.to_text(outcome.accepted_at),
    )


def _accepted(app: str, outcome: Outcome, headers: bytes) -> Reply:
    event = event_id.to_text(outcome.event)
    address = f"/v1/apps/{app}/events/{event}"
    return Reply(
        202, _encode(schema.Accepted(event, "accepted", address)), headers + f"Location: {address}\r\n".encode()
    )


def _refusal(outcome: Outcome) -> ScoreboardError:
    kind = errors.NotFound if outcome.code == "board_not_found" else errors.Refused
    return kind(outcome.code, outcome.detail, retry_after_s=outcome.retry_after_s)


def _batch_answer(
    board: Board, item: schema.BatchItem, result: Result | ScoreboardError
) -> schema.BatchApplied | schema.BatchRefused:
    if isinstance(result, ScoreboardError):
        return schema.BatchRefused(item.player, result.code, result.detail)
    outcome = result.outcome
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


def _event(board: Board, outcome: Outcome) -> schema.Event:
    event = schema.Event(
        event_id.to_text(outcome.event),
        outcome.status,
        board.board,
        outcome.player,
        outcome.season,
        instant.to_text(outcome.accepted_at),
    )
    if outcome.status == "refused":
        event.code, event.detail = outcome.code, outcome.detail
    else:
        event.score = score_text(board, outcome.score)
        event.previous_score = None if outcome.previous_score is None else score_text(board, outcome.previous_score)
    return event


def _rate_headers(allowance: Allowance) -> bytes:
    limit, remaining, reset_s, _ = allowance
    return b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: %d\r\n" % (
        limit,
        remaining,
        int(reset_s) + 1,
    )
