"""The index of codes: every `code` that a refusal can carry, what causes it, and what to do about it.

The one place where a code is explained: `docs/reference/codes.md` and the OpenAPI document are made from it, and a test
holds it against what the source raises. A code never changes its meaning.
"""

from typing import NamedTuple

from scoreboard.domain.board import MAX_REGIONS, MAX_TOP_N
from scoreboard.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ScoreboardError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from scoreboard.domain.identifiers import EMAIL_CHARS, PLAYER_ID_CHARS, URL_CHARS, USERNAME_CHARS


class Code(NamedTuple):
    """`kind` is a branch of the error tree, or a status of HTTP for what ends before the application is asked."""

    kind: type[ScoreboardError] | int
    cause: str
    remedy: str


def _kind(kind: type[ScoreboardError] | int, **explained: tuple[str, str]) -> dict[str, Code]:
    return {code: Code(kind, cause, remedy) for code, (cause, remedy) in explained.items()}


_SLUG = "Use 1 to 50 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit."
_MINT = "Make one with `scoreboard token` and send it as `Authorization: Bearer <token>`."
_AGAIN = "Wait for `Retry-After`, then send the same request again; an update under the same `Idempotency-Key`."
_OTHER_ID = "Choose another id, or change the one that is there with `PATCH`."
_LIST = "List what there is with a `GET` of the address one step up; ids are case-sensitive."

CODES = {
    **_kind(
        400,
        invalid_request=(
            "The request is not well-formed HTTP, or its head is too long.",
            "Look at what the client or a proxy on the way really sends.",
        ),
    ),
    **_kind(
        404,
        route_not_found=("Nothing is served at this address.", "Compare the path with the API reference at `/docs`."),
    ),
    **_kind(
        405,
        method_not_allowed=(
            "This address exists, but not with this method.",
            "Use one of the methods in the answer's `Allow` header.",
        ),
    ),
    **_kind(
        408,
        body_timeout=(
            "The body did not arrive within 20 seconds of its head.",
            "Send the request again, an update under the same `Idempotency-Key`; look at the network.",
        ),
    ),
    **_kind(
        413,
        body_too_big=(
            "The body is greater than 64 KiB (4 MiB for a batch).",
            "Send less at once: smaller metadata, or a batch in parts.",
        ),
    ),
    **_kind(
        415,
        unsupported_media_type=(
            "The body is not declared as JSON.",
            "Send the header `Content-Type: application/json`.",
        ),
        unsupported_content_encoding=(
            "The request has a `Content-Encoding` other than `identity`.",
            "Send the body uncompressed and without this header.",
        ),
    ),
    **_kind(
        500,
        internal_error=(
            "The server failed in a way nobody expected; the details are in its log.",
            "Send an update again under the same `Idempotency-Key`. If it stays, report it with the lines of the log.",
        ),
    ),
    **_kind(
        Invalid,
        invalid_path=("The address is not UTF-8.", "Percent-encode ids in addresses as UTF-8."),
        invalid_query=(
            "The query has a parameter that is unknown, given twice or not of its type.",
            "`detail` names it; compare with the API reference.",
        ),
        invalid_json=("The body is not JSON.", "`detail` says where reading ended; send JSON in UTF-8."),
        invalid_body=(
            "The body is JSON, but not what this operation takes: a field is missing, unknown or of another type.",
            "`detail` names the field; compare with the API reference.",
        ),
        one_value=(
            "The update has none, or more than one, of `action`, `increment` and `score`.",
            "Send exactly one of them.",
        ),
        operator_mismatch=(
            "The board's operator takes the value in the other field.",
            "Send `increment` to a board with the operator `increment`, and `score` to `best` and `latest`.",
        ),
        in_the_future=(
            "An entry to be taken over was accepted later than it is now by this server's clock.",
            "Set the clocks of both machines, and send it again.",
        ),
        invalid_value=("The value of an entry leaves 64 bits.", "Send the entry as it was exported."),
        unknown_action=("The app has no action of this id.", "Create the action first, or mend its id."),
        unknown_region=("The board does not rank this region.", "Send one of the board's `regions`, or none."),
        metadata_too_big=("The metadata is longer than 2,048 bytes of JSON.", "Keep a reference in it, not the thing."),
        invalid_idempotency_key=(
            "The idempotency key is empty, longer than 255 characters, or not visible ASCII.",
            "A UUID does well.",
        ),
        invalid_batch=("A batch has none, or more than 1,000 updates.", "Send it in parts."),
        invalid_event=("The id is not that of an update.", "Use `event` as the answer to the update gave it."),
        invalid_season=(
            "No season of this board can have this name.",
            "Names follow the period: `all`, `2026-11-21`, `2026-W47`, `2026-11`; or `current`.",
        ),
        invalid_cursor=(
            "The cursor was changed, comes from another server, or belongs to another table.",
            "Begin again without a cursor.",
        ),
        invalid_limit=("The limit of a page is out of range.", "Ask for 1 to 1,000, and go on with `next_cursor`."),
        invalid_radius=("The number of neighbours is out of range.", "Ask for 1 to 100."),
        invalid_players=("None, or too many players are asked for at once.", "Ask for 1 to 200."),
        invalid_app=("This cannot be the id of an app.", _SLUG),
        invalid_board=("This cannot be the id of a board.", _SLUG),
        invalid_action=("This cannot be the id of an action.", _SLUG),
        invalid_region=("This cannot be the id of a region.", _SLUG),
        invalid_player=(
            "This cannot be the id of a player.",
            f"Use 1 to {PLAYER_ID_CHARS} printable characters of any script.",
        ),
        invalid_name=("The name cannot be shown.", f"Use 1 to {USERNAME_CHARS} printable characters."),
        invalid_username=("The username cannot be shown.", f"Use 1 to {USERNAME_CHARS} printable characters."),
        invalid_email=("The e-mail address is empty or too long.", f"Use 1 to {EMAIL_CHARS} printable characters."),
        invalid_avatar_url=(
            "The address of the avatar cannot be used on a page.",
            f"Begin it with `https://` or `/`; at most {URL_CHARS} characters.",
        ),
        invalid_time_zone=("There is no such time zone.", "Use a name of the IANA database, such as `Europe/Berlin`."),
        invalid_regions=(f"There are more than {MAX_REGIONS} regions, or one is named twice.", "Name each once."),
        invalid_top_n=("The size of the live top N is out of range.", f"Use 1 to {MAX_TOP_N:,}."),
        invalid_bounds=(
            "A bound leaves 64 bits, or a lower bound is above its upper one.",
            "Use signed 64-bit integers, the lower one first.",
        ),
        invalid_points=("The points leave 64 bits.", "Use a signed 64-bit integer."),
        invalid_per_day=("`per_day` is out of range.", "Use 1 to 1,000,000, or null for no limit."),
        invalid_cooldown=("`cooldown_s` is out of range.", "Use 0 seconds to one year."),
    ),
    **_kind(
        Unauthenticated,
        token_missing=("This needs a token, and none was sent.", _MINT),
        token_invalid=(
            "The token is malformed, was changed, is not valid yet, or was made with another server's key.",
            "Make one where this server's data folder is: `scoreboard token`.",
        ),
        token_expired=("The token was good once and has expired.", "Get a new one: `scoreboard token`."),
    ),
    **_kind(
        Forbidden,
        wrong_app=("The token belongs to another app.", "Use a token of the app in the address."),
        scope_missing=(
            "The token is good, but not for this kind of operation.",
            "Players' and servers' tokens update and read; managing takes an admin's: `scoreboard token admin`.",
        ),
        wrong_player=(
            "A player's token was used to update another player.",
            "Leave `player` out, or send the update from your server.",
        ),
        value_not_allowed=(
            "A player's token sent a value; this board leaves the worth of things to the server.",
            "Send an `action`, or set the board's `player_values`, if players may say what they scored.",
        ),
        server_only=("A batch came with a player's token.", "Send batches from your server, with a server's token."),
        operator_only=(
            "Apps are listed, created and deleted by the operator only.",
            "Use the operator's token: `scoreboard token admin --app '*'`.",
        ),
        origin_not_allowed=(
            "A page of another site opened a live connection, and its origin is not on the list.",
            "Add the origin to the setting `SCOREBOARD_ORIGINS`.",
        ),
        subscription_ended=(
            "The board of a live subscription was deleted, or is not public any more.",
            "Take the board off the page; with a token that may read it, subscribe again.",
        ),
        websocket_only=("A plain request came to the address of the WebSocket.", "Connect with a WebSocket client."),
    ),
    **_kind(
        NotFound,
        app_not_found=("There is no such app.", _LIST),
        board_not_found=("The app has no such board, or no more.", _LIST),
        action_not_found=("The app has no such action.", _LIST),
        player_not_found=("The app knows no such player.", "Create the player, or wait for a first update."),
        standing_not_found=(
            "The player exists, but has no score in this season and region.",
            "Nothing to mend: show the player as not placed yet.",
        ),
        region_not_found=("The board does not rank this region.", "Ask for one of the board's `regions`, or for none."),
        event_not_found=(
            "The app has no such update, its board was deleted, or it is another player's.",
            "Use `event` as the answer to the update gave it.",
        ),
        letter_not_found=("There is no dead letter of this id, or no more.", "List them with `scoreboard dlq list`."),
        file_not_found=("The page has no such file.", "Reload the page: it belongs to another version."),
    ),
    **_kind(
        Conflict,
        app_exists=("There is an app of this id already.", _OTHER_ID),
        board_exists=("The app has a board of this id already.", _OTHER_ID),
        action_exists=("The app has an action of this id already.", _OTHER_ID),
        player_exists=("The app has a player of this id already.", _OTHER_ID),
        key_reused=(
            "The idempotency key was used for another request; nothing was counted now.",
            "Use a new key for each new update, and the same key only to repeat one.",
        ),
        key_replayed=(
            "A queued update was sent again before the first was applied; the first is the one that counts.",
            "Nothing: the detail names the event that holds the outcome.",
        ),
        key_spent=(
            "The idempotency key belongs to an update of a player or board that was deleted since.",
            "Use a new key, if this is a new update.",
        ),
    ),
    **_kind(
        Refused,
        value_out_of_bounds=(
            "The value is outside the board's `min_value` to `max_value`.",
            "Send less at once, or widen the bounds.",
        ),
        total_out_of_bounds=(
            "The player's total would leave the board's `min_total` to `max_total`.",
            "Make a board with wider totals; they are fixed when it is made.",
        ),
        action_limit=("The player has done this as often as counts in one day.", "It counts again tomorrow."),
        action_cooldown=("The player did this a moment ago.", "It counts again after `Retry-After`."),
        dropped=(
            "A queued update could not be applied, and the operator dropped it.",
            "Ask the operator; `scoreboard dlq` is where it was dropped.",
        ),
        not_storable=("The store would not take this one update.", "Look at what is odd in it; the log has more."),
    ),
    **_kind(
        TooManyRequests,
        rate_limited=(
            "The credential has made as many updates as it may in this time.",
            "Wait for `Retry-After`; send batches; the limits are settings of the server.",
        ),
    ),
    **_kind(
        Unavailable,
        overloaded=("More updates wait for the store than may.", _AGAIN),
        shutting_down=("The server is going away.", _AGAIN),
        storage_full=("The disk is full; nothing was counted.", "Make room, then send the update again."),
        storage_failed=(
            "The database failed; whether an update was counted may be unknown.",
            "Send it again under the same `Idempotency-Key`: it is counted once. The log says what failed.",
        ),
        queue_unavailable=(
            "The queue's server cannot be reached, is out of memory or disk, or lacks its queues; whether an update "
            "was accepted may be unknown.",
            "Send it again under the same `Idempotency-Key`: it is counted once. The log says what failed.",
        ),
        not_ready=("The server has just started and is loading its rankings.", "Ask again in a second."),
        ranking_warming=("The ranking of this table is being loaded.", "Ask again in a second."),
        ranking_unavailable=("The ranking cannot be asked at this moment; updates go on.", "Ask again in a second."),
        limits_unavailable=(
            "The server that counts for the rate limits cannot be asked.",
            "Nothing to do for who updates: each process counts by itself meanwhile. The log says what failed.",
        ),
        too_many_connections=(
            "As many connections, or live connections, are open as the server takes.",
            "Come back later, or raise `SCOREBOARD_HTTP_CONNECTIONS` or `SCOREBOARD_LIVE_CONNECTIONS`.",
        ),
    ),
}
