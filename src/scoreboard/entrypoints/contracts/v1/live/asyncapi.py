"""AsyncAPI 3: the document of the live endpoints, from the types of messages."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from scoreboard.application.live.close_codes import CLOSES
from scoreboard.entrypoints.contracts.v1.entries import Entry
from scoreboard.entrypoints.contracts.v1.live import messages
from scoreboard.entrypoints.contracts.v1.live.top import Change, Top
from scoreboard.entrypoints.http.openapi import SCHEMA_REF, info

INTRODUCTION = """\
Live boards, for pages and servers. The other endpoints are in [OpenAPI](openapi.json).

- Within an `epoch` offsets only grow: ignore a `top` whose `offset` is not greater than yours. A new epoch replaces
  all earlier messages.
- A connection that falls behind skips to the newest top N. `changes` is present only if you had the previous position.
- To resume after a break, subscribe with your `position`, or send the id of the last event as `Last-Event-ID`.
- The server pings after 25 s of silence, and disconnects after 60 s of silence. The client then sees 1006.

`x-close-codes` lists the close codes of the WebSocket, and whether to reconnect.
"""

_EPOCH, _OFFSET = "b24ab8b12530", 10
_TOP = Top(
    "demo",
    "main",
    season="all",
    region=None,
    epoch=_EPOCH,
    offset=_OFFSET,
    total=5,
    at="2026-11-21T05:16:30.627683Z",
    entries=[Entry(1, "hana", "Hana", None, 35, "2026-11-21T05:16:28.801931Z")],
    changes=[Change("hana", 1, 2, 35)],
)

EXAMPLES: tuple[msgspec.Struct, ...] = (
    messages.Authenticate("eyJhbGciOiJIUzI1NiJ9..."),
    messages.Subscribe("demo", "main", position=messages.Position(_EPOCH, _OFFSET)),
    messages.Unsubscribe("demo", "main"),
    messages.Ping(),
    messages.Authenticated(),
    messages.Subscribed("demo", "main", None, None, recovered=False, epoch=_EPOCH, offset=_OFFSET),
    messages.Unsubscribed("demo", "main", None, None),
    messages.Pong(),
    messages.Error("board_not_found", "this app has no such board", "demo", "main"),
    _TOP,
)


class Operation(NamedTuple):
    """An operation of the server: a message that it receives, or one that it sends.

    `replies` are the messages with which the server responds.
    """

    name: str
    channel: str
    message: type[msgspec.Struct]
    summary: str
    replies: tuple[type[msgspec.Struct], ...] = ()

    @property
    def receives(self) -> bool:
        return self.message in get_args(messages.Request)


OPERATIONS = (
    Operation(
        "authenticate",
        "live",
        messages.Authenticate,
        "Receive a token for private boards. An invalid token closes the connection with 4501.",
        (messages.Authenticated,),
    ),
    Operation(
        "subscribe",
        "live",
        messages.Subscribe,
        "Start watching a table. The reply is `subscribed`, followed by the top N unless `recovered`.",
        (messages.Subscribed, messages.Error),
    ),
    Operation(
        "unsubscribe", "live", messages.Unsubscribe, "Stop watching a table.", (messages.Unsubscribed, messages.Error)
    ),
    Operation("ping", "live", messages.Ping, "Reply, so that clients can detect a dead connection.", (messages.Pong,)),
    Operation("showTop", "live", Top, "Send the complete top N of a watched table when it changes."),
    Operation("endSubscription", "live", messages.Error, "Report the end of a subscription: `subscription_ended`."),
    Operation("streamTop", "stream", Top, "Send events named `top`, with the same data and the id `epoch:offset`."),
)


def document() -> bytes:
    kinds = [type(example) for example in EXAMPLES]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=SCHEMA_REF)
    return msgspec.json.encode(
        {
            "asyncapi": "3.0.0",
            "info": info("Scoreboard, live", INTRODUCTION),
            "defaultContentType": "application/json",
            "servers": {"websocket": _server("ws"), "events": _server("http")},
            "channels": {"live": _live(), "stream": _stream()},
            "operations": {operation.name: _operation(operation) for operation in OPERATIONS},
            "components": {
                "schemas": schemas,
                "messages": {_name(type(example)): _message(example) for example in EXAMPLES},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
            "x-close-codes": [close._asdict() for close in CLOSES],
        }
    )


def _server(protocol: str) -> dict[str, Any]:
    address = {"default": "127.0.0.1:8000", "description": "Address of the service or its proxy."}
    return {"host": "{host}", "protocol": protocol, "variables": {"host": address}}


def _live() -> dict[str, Any]:
    query = {
        "type": "object",
        "properties": {"token": {"type": "string", "description": "Token, for browsers, which cannot send a header."}},
    }
    return {
        "address": "/v1/live",
        "title": "WebSocket",
        "description": "One connection for any number of tables. Each message is a JSON text with a `type`.",
        "servers": [_ref("servers", "websocket")],
        "messages": _messages_of("live"),
        "bindings": {"ws": {"method": "GET", "query": query}},
    }


def _stream() -> dict[str, Any]:
    return {
        "address": "/v1/apps/{app}/boards/{board}/stream",
        "title": "Server-Sent Events",
        "description": "One table, selected by `?region=` and `?season=`. Browsers send a token as `?token=`.",
        "servers": [_ref("servers", "events")],
        "parameters": {"app": {"description": "Id of the app."}, "board": {"description": "Id of the board."}},
        "messages": _messages_of("stream"),
    }


def _messages_of(channel: str) -> dict[str, Any]:
    kinds = {kind for o in OPERATIONS if o.channel == channel for kind in (o.message, *o.replies)}
    return {_name(type(e)): _ref("components", "messages", _name(type(e))) for e in EXAMPLES if type(e) in kinds}


def _operation(operation: Operation) -> dict[str, Any]:
    channel = _ref("channels", operation.channel)
    described: dict[str, Any] = {
        "action": "receive" if operation.receives else "send",
        "channel": channel,
        "summary": operation.summary,
        "messages": _refs(operation.channel, [operation.message]),
    }
    if operation.replies:
        described["reply"] = {"channel": channel, "messages": _refs(operation.channel, operation.replies)}
    if operation.channel == "stream":
        described["bindings"] = {"http": {"method": "GET"}}
    return described


def _message(example: msgspec.Struct) -> dict[str, Any]:
    name = _name(type(example))
    return {
        "name": name,
        "title": type(example).__name__,
        "summary": (type(example).__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "payload": _ref("components", "schemas", type(example).__name__),
        "examples": [{"name": name, "payload": msgspec.to_builtins(example)}],
    }


def _refs(channel: str, kinds: Sequence[type[msgspec.Struct]]) -> list[dict[str, str]]:
    return [_ref("channels", channel, "messages", _name(kind)) for kind in kinds]


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *path))}


def _name(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)
