"""Examples of the API, in an order in which they work on an empty server.

A test sends each of them with the operator's token, and compares the responses except for ids, times and positions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scoreboard.entrypoints.http.openapi import Example

EVENT = "019aa5f0-7c1e-7f3b-9d2a-6b1f0c4e8a57"
_APP = {"app": "game"}
_BOARD = {**_APP, "board": "main"}
_ACTION = {**_APP, "action": "win"}
_PLAYER = {**_APP, "player": "alice"}
_STANDING = {**_BOARD, "player": "alice"}

_GAME = {"app": "game", "name": "My game", "time_zone": "Europe/Berlin"}
_MAIN = {
    "board": "main",
    "operator": "increment",
    "direction": "descending",
    "ties": "earliest",
    "numbering": "ordinal",
    "period": "all_time",
    "time_zone": "Europe/Berlin",
    "regions": ["eu", "us"],
    "name": "All-time points",
    "top_n": 10,
    "public": True,
    "player_values": False,
    "consistency": "direct",
    "priority": "normal",
    "min_value": -9007199254740991,
    "max_value": 9007199254740991,
    "min_total": -9007199254740991,
    "max_total": 9007199254740991,
}
_FASTEST = {
    "board": "laps",
    "operator": "best",
    "direction": "ascending",
    "period": "weekly",
    "min_value": 1,
    "public": False,
}
_LAPS = {**_MAIN, **_FASTEST, "name": "laps", "regions": []}
_PUBLIC_MAIN = {
    "app": "game",
    "app_name": "My game",
    **{name: _MAIN[name] for name in ("board", "name", "operator", "direction", "period", "regions", "top_n")},
}
_WIN = {"action": "win", "points": 25, "per_day": 10, "cooldown_s": 0}
_ALICE = {"player": "alice", "username": "Alice", "avatar_url": None, "email": None, "region": "eu"}


def _applied(score: int, previous: int | None, rank: int, previous_rank: int | None) -> dict[str, Any]:
    return {
        "event": EVENT,
        "status": "applied",
        "player": "alice",
        "board": "main",
        "season": "all",
        "score": score,
        "previous_score": previous,
        "changed": True,
        "rank": rank,
        "previous_rank": previous_rank,
        "rank_state": "exact",
        "accepted_at": "2026-11-21T18:04:05.123456Z",
    }


def _batch_applied(player: str, score: int) -> dict[str, Any]:
    result = {"status": "applied", "player": player, "event": EVENT, "score": score, "previous_score": None}
    return {**result, "changed": True, "replayed": False}


def _entry(rank: int, player: str, username: str, score: int) -> dict[str, Any]:
    reached_at = "2026-11-21T18:04:05.123456Z"
    entry = {"rank": rank, "player": player, "username": username, "avatar_url": None}
    return {**entry, "score": score, "reached_at": reached_at}


_ENTRIES = [_entry(1, "bob", "bob", 40), _entry(2, "alice", "Alice", 32), _entry(3, "zoe", "zoe", 12)]
_PAGE = {
    **_BOARD,
    "season": "all",
    "region": None,
    "epoch": "b24ab8b12530",
    "offset": 5,
    "total": 3,
    "rank_state": "exact",
    "entries": _ENTRIES,
    "next_cursor": None,
}

_LEDGER_ENTRY = {
    "event": EVENT,
    "accepted_at": "2026-11-21T18:04:05.123456Z",
    "season": "all",
    "region": "eu",
    "player": "alice",
    "value": 5,
}

EXAMPLES: Mapping[str, Sequence[Example]] = {
    "createApp": [Example("An app", body=_GAME, status=201, response=_GAME)],
    "listApps": [Example("All apps", response={"apps": [_GAME]})],
    "getApp": [Example("An app", _APP, response=_GAME)],
    "updateApp": [Example("A new name", _APP, body={"name": "My game"}, response=_GAME)],
    "createBoard": [
        Example(
            "A board that adds up points, with two regions",
            _APP,
            body={"board": "main", "name": "All-time points", "regions": ["eu", "us"]},
            status=201,
            response=_MAIN,
        ),
        Example(
            "The fastest lap of each week",
            _APP,
            body=_FASTEST,
            status=201,
            response=_LAPS,
        ),
    ],
    "getBoard": [Example("A board", _BOARD, response=_MAIN)],
    "updateBoard": [
        Example("A live top 25", _BOARD, body={"top_n": 25}, response={**_MAIN, "top_n": 25}),
        Example("A live top 10", _BOARD, body={"top_n": 10}, response=_MAIN),
    ],
    "createAction": [Example("A win", _APP, body={**_WIN, "per_day": 5}, status=201, response={**_WIN, "per_day": 5})],
    "updateAction": [Example("A higher daily limit", _ACTION, body={"per_day": 10}, response=_WIN)],
    "listActions": [Example("All actions", _APP, response={"actions": [_WIN]})],
    "getAction": [Example("A win", _ACTION, response=_WIN)],
    "createPlayer": [
        Example(
            "A player",
            _APP,
            body={"player": "alice", "username": "alice"},
            status=201,
            response={**_ALICE, "username": "alice", "region": None},
        )
    ],
    "updatePlayer": [
        Example("A name and a region", _PLAYER, body={"username": "Alice", "region": "eu"}, response=_ALICE)
    ],
    "listPlayers": [Example("The first page", _APP, {"limit": "100"}, response={"players": [_ALICE]})],
    "getPlayer": [Example("A player", _PLAYER, response=_ALICE)],
    "updateScore": [
        Example(
            "An increment",
            _BOARD,
            headers={"Idempotency-Key": "match-4711-alice"},
            body={"player": "alice", "increment": 5},
            response=_applied(5, None, 1, None),
        ),
        Example(
            "An action",
            _BOARD,
            body={"player": "alice", "action": "win", "metadata": {"level": 7}},
            response=_applied(30, 5, 1, 1),
        ),
        Example(
            "An asynchronous update",
            _BOARD,
            headers={"Prefer": "respond-async"},
            body={"player": "alice", "increment": 2},
            status=202,
            response={"event": EVENT, "status": "accepted", "outcome": f"/v1/apps/game/events/{EVENT}"},
        ),
    ],
    "updateScores": [
        Example(
            "Three updates, one of them refused",
            _BOARD,
            headers={"Idempotency-Key": "match-4712"},
            body={
                "updates": [
                    {"player": "bob", "increment": 40},
                    {"player": "zoe", "increment": 12, "idempotency_key": "match-4712-zoe"},
                    {"player": "zoe", "action": "dance"},
                ]
            },
            response={
                "applied": 2,
                "refused": 1,
                "accepted": 0,
                "results": [
                    _batch_applied("bob", 40),
                    _batch_applied("zoe", 12),
                    {
                        "status": "refused",
                        "player": "zoe",
                        "code": "unknown_action",
                        "detail": "this app has no such action",
                    },
                ],
            },
        )
    ],
    "getEvent": [
        Example(
            "An applied update",
            {**_APP, "event": EVENT},
            response={
                "event": EVENT,
                "status": "applied",
                "board": "main",
                "player": "alice",
                "season": "all",
                "accepted_at": "2026-11-21T18:04:05.123456Z",
                "score": 5,
                "previous_score": None,
                "code": None,
                "detail": None,
            },
        )
    ],
    "getTop": [Example("The top ten of the world", _BOARD, {"limit": "10"}, response=_PAGE)],
    "getStanding": [
        Example(
            "The second of three players",
            _STANDING,
            response={
                "player": "alice",
                "season": "all",
                "region": None,
                "score": 32,
                "rank": 2,
                "rank_state": "exact",
                "total": 3,
                "ties": 0,
                "percentile": 50.0,
                "gap_to_next": 8,
                "reached_at": "2026-11-21T18:04:05.123456Z",
            },
        )
    ],
    "getAround": [Example("One neighbour on each side", _STANDING, {"radius": "1"}, response=_PAGE)],
    "queryPlayers": [
        Example(
            "Friends",
            _BOARD,
            body={"players": ["alice", "zoe", "nobody"]},
            response={"entries": _ENTRIES[1:], "not_found": ["nobody"]},
        )
    ],
    "listEntries": [
        Example(
            "The first entry",
            _BOARD,
            {"limit": "1"},
            response={
                "entries": [{**_LEDGER_ENTRY, "score": 5, "previous_score": None}],
                "next_after": EVENT,
                "at": "2026-11-21T19:00:00.000000Z",
            },
        )
    ],
    "importEntries": [
        Example(
            "A lap of last year",
            {**_APP, "board": "laps"},
            body={"entries": [{"event": EVENT, "player": "alice", "value": 61234, "metadata": {"car": 7}}]},
            response={
                "applied": 1,
                "refused": 0,
                "accepted": 0,
                "results": [_batch_applied("alice", 61234)],
            },
        )
    ],
    "rebuildBoard": [
        Example("A board", _BOARD, response={"tables": 2, "standings": 4, "rank_state": "exact"}),
    ],
    "listBoards": [Example("All boards", _APP, response={"boards": [_LAPS, _MAIN]})],
    "isLive": [Example("A running process", response={"status": "live"})],
    "isReady": [Example("A ready server", response={"status": "ready"})],
    "getPublicBoards": [
        Example(
            "One board, and a list of one",
            query={"app": "game", "board": "main", "limit": "1"},
            response={"shown": _PUBLIC_MAIN, "seasons": ["all"], "boards": [_PUBLIC_MAIN]},
        )
    ],
    "deleteAction": [Example("A win", _ACTION, status=204)],
    "deletePlayer": [Example("A player", _PLAYER, status=204)],
    "deleteBoard": [Example("A board", _BOARD, status=204)],
    "deleteApp": [Example("An app", _APP, status=204)],
}

_LETTER = {"letter": "5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90"}
_DEAD_LETTER = {
    **_LETTER,
    "reason": "not_storable",
    "since": "2026-11-21T18:04:36.654321Z",
    "attempts": 5,
    "count": 1,
}
_LETTER_UPDATE = {
    **_STANDING,
    "event": EVENT,
    "accepted_at": "2026-11-21T18:04:05.123456Z",
    "value": 5,
}

# Only a server with a queue has these responses, after an update could not be applied.
EXAMPLES_WITH_QUEUE: Mapping[str, Sequence[Example]] = {
    "listDeadLetters": [Example("The oldest", query={"limit": "100"}, response={"dead_letters": [_DEAD_LETTER]})],
    "getDeadLetter": [Example("A dead letter", _LETTER, response={**_DEAD_LETTER, "updates": [_LETTER_UPDATE]})],
    "retryDeadLetter": [Example("A dead letter", _LETTER, status=204)],
    "dropDeadLetter": [Example("A dead letter", _LETTER, status=204)],
}
