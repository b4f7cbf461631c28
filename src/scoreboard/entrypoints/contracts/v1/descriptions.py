"""What the description of `/v1` says beside what follows from its endpoints."""

from scoreboard.entrypoints.contracts.v1.examples import EXAMPLES, WITH_A_QUEUE
from scoreboard.entrypoints.contracts.v1.refusals import ProblemDescription
from scoreboard.entrypoints.http.openapi import Description

INTRODUCTION = """\
Live leaderboards: send updates, read exact ranks, watch boards move.

**Tokens.** `scoreboard token` makes them, on the machine where the data folder is. A *player's* token reads, and
updates that player; a *server's* token reads, and updates every player of its app; an *admin's* token manages the app
as well. Public boards are read without a token.

**Retries.** Send an `Idempotency-Key` with each update and repeat the request, unchanged, for as long as you have no
answer: it is counted once.

**Refusals** are problem details (RFC 9457) with a stable `code`, and have changed nothing. Any address that does not
exist answers `route_not_found`, and any method it does not take `method_not_allowed`.

**Numbers.** Scores are exact signed 64-bit integers; on a board whose totals may leave plus or minus 2^53 - 1 they are
sent as text. Ranks begin at 1; one that cannot be told is null, never wrong. Times are RFC 3339 in UTC.

**Live boards**, by WebSocket and Server-Sent Events, are described in [AsyncAPI](asyncapi.json).
"""

_TEXT = {"type": "string"}

DESCRIPTION = Description(
    title="Scoreboard",
    introduction=INTRODUCTION,
    security={
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token that `scoreboard token` printed, without the word Bearer.",
        }
    },
    tags={
        "scores": "Updates, one by one or in batches, and what became of them.",
        "boards": "Boards: their rules, and their standings.",
        "actions": "What players do, and what it is worth.",
        "players": "Profiles: how players are shown.",
        "history": "The ledger of a board, and the ranking that is made from it. For operators.",
        "apps": "Tenants of this server. For its operator.",
        "dead letters": "Queued updates that could not be applied. For the operator of the server.",
        "service": "The server itself: health, metrics.",
    },
    parameters={
        "app": "Id of the app.",
        "board": "Id of the board, unique in its app.",
        "action": "Id of the action, unique in its app.",
        "player": "Id of the player, unique in its app.",
        "letter": "Id of the dead letter.",
        "event": "Id of the update, as `event` in its answer.",
        "season": "Name of a season, such as `2026-11-21`, `2026-W47` or `2026-11`; without it the current one.",
        "region": "One of the board's regions; without it the world.",
        "limit": "How many, from 1 to 1,000; to 200 where public boards are listed.",
        "cursor": "The `next_cursor` of the page before.",
        "radius": "How many neighbours on each side, from 1 to 100.",
        "after": "The last id of the page before.",
    },
    headers={
        "Idempotency-Key": {
            "description": "A key of your own for this update: a retry under the same key is never counted twice.",
            "schema": {**_TEXT, "pattern": "^[\\x21-\\x7e]{1,255}$"},
        },
        "Prefer": {
            "description": "`respond-async`: answer as soon as the update is durable; `wait=N`: wait for its outcome.",
            "schema": {**_TEXT, "pattern": "^(respond-async|wait=[0-9]{1,4})$"},
        },
        "If-None-Match": {"description": "The ETag you have; 304 when it is still good.", "schema": _TEXT},
    },
    sent={
        "ETag": "Changes whenever the page does.",
        "RateLimit-Limit": "Updates that the credential may make in its period.",
        "RateLimit-Remaining": "How many are left.",
        "RateLimit-Reset": "Seconds until all of them are there again.",
        "Idempotent-Replayed": "`true` when this is the first answer, given again; nothing was counted now.",
        "Location": "With 202, the address of the outcome.",
        "Preference-Applied": "What of `Prefer` was followed: `respond-async` or `wait`.",
        "Retry-After": "Seconds to wait before the same request may do.",
        "WWW-Authenticate": "How to send a token.",
    },
    examples={**EXAMPLES, **WITH_A_QUEUE},
    errors=ProblemDescription(),
)
