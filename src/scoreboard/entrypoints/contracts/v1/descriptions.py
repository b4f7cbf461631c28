"""The description of `/v1`: the texts that its endpoints do not contain."""

from scoreboard.entrypoints.contracts.v1.examples import EXAMPLES, EXAMPLES_WITH_QUEUE
from scoreboard.entrypoints.contracts.v1.refusals import ProblemDescription
from scoreboard.entrypoints.http.openapi import Description

INTRODUCTION = """\
Live leaderboards: send updates, read exact ranks, watch boards change.

**Tokens.** Create them with `scoreboard token`, on the machine that has the data folder. A *player's* token can read
boards and update that player. A *server's* token can update every player of its app. An *admin's* token can also manage
the app. Public boards can be read without a token.

**Retries.** Send an `Idempotency-Key` with each update, and repeat the unchanged request until you receive a response.
The update is counted once.

**Refusals** are problem details (RFC 9457) with a stable `code`. A refused request has changed nothing. Unknown
addresses return `route_not_found`, and unsupported methods `method_not_allowed`.

**Numbers.** Scores are exact signed 64-bit integers. They are strings on a board whose totals may exceed plus or minus
2^53 - 1. Ranks start at 1. A rank is exact, or null when it is not available. Times are RFC 3339 in UTC.

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
            "description": "A token from `scoreboard token`, without the word Bearer.",
        }
    },
    tags={
        "scores": "Updates, single or in batches, and their outcomes.",
        "boards": "Boards: their rules, and their standings.",
        "actions": "Activities of players, and the points that they earn.",
        "players": "Profiles: names, avatars and regions.",
        "history": "The ledger of a board, and the ranking that follows from it. For admins.",
        "apps": "Tenants of this server. For its operator.",
        "dead letters": "Queued updates that could not be applied. For the operator of the server.",
        "service": "Health and metrics of the server, and its public boards.",
    },
    parameters={
        "app": "Id of the app.",
        "board": "Id of the board, unique in its app.",
        "action": "Id of the action, unique in its app.",
        "player": "Id of the player, unique in its app.",
        "letter": "Id of the dead letter.",
        "event": "Id of the update: the `event` in its response.",
        "season": "Name of a season, such as `2026-11-21`, `2026-W47` or `2026-11`; by default the current one.",
        "region": "One of the board's regions; by default the world.",
        "limit": "Maximum number of items: 1 to 1,000, or 1 to 200 in the list of public boards.",
        "cursor": "The `next_cursor` of the previous page.",
        "radius": "Number of neighbours on each side, from 1 to 100.",
        "after": "The last id of the previous page.",
    },
    request_headers={
        "Idempotency-Key": {
            "description": "A key that you choose for this request; retries under the same key are counted once.",
            "schema": {**_TEXT, "pattern": "^[\\x21-\\x7e]{1,255}$"},
        },
        "Prefer": {
            "description": "`respond-async`: respond once the update is durable. `wait=N`: wait for its outcome.",
            "schema": {**_TEXT, "pattern": "^(respond-async|wait=[0-9]{1,4})$"},
        },
        "If-None-Match": {"description": "The ETag of your copy; if it is current, you get 304.", "schema": _TEXT},
    },
    response_headers={
        "ETag": "The version of the page.",
        "RateLimit-Limit": "Updates that the credential may send in one period.",
        "RateLimit-Remaining": "Updates that remain in this period.",
        "RateLimit-Reset": "Seconds until the full number is available again.",
        "Idempotent-Replayed": "`true` if the update was counted by an earlier request; this is its first result.",
        "Location": "With 202, the address of the outcome.",
        "Preference-Applied": "The applied part of `Prefer`: `respond-async` or `wait`.",
        "Retry-After": "Seconds to wait before a retry.",
        "WWW-Authenticate": "The authentication scheme.",
    },
    examples={**EXAMPLES, **EXAMPLES_WITH_QUEUE},
    errors=ProblemDescription(),
)
