"""The AsyncAPI 3 document of the live doors, from the types that decode and encode their messages."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from scoreboard import __version__
from scoreboard.application.live.close_codes import CLOSES
from scoreboard.entrypoints.contracts.v1.entries import Entry
from scoreboard.entrypoints.contracts.v1.live import messages
from scoreboard.entrypoints.contracts.v1.live.top import Change, Top

INTRODUCTION = """\
Boards as they change, for pages and servers. Everything else is in [OpenAPI](openapi.json).

- Within an `epoch` offsets only grow: drop a `top` whose `offset` is not greater than yours. A new epoch replaces all
  you have.
- A connection that falls behind skips to the newest board; `changes` is there only when you had the position before.
- To return after a break, subscribe with your `position`, or send the last event's id as `Last-Event-ID`.
- The server pings after 25 s of silence, and cuts off who has been silent for 60 s: the client sees 1006.

`x-close-codes` tells what a close of the WebSocket means, and whether to come back.
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


class Does(NamedTuple):
    """An operation of the server: what it receives, with its answers, or what it sends by itself."""

    name: str
    channel: str
    message: type[msgspec.Struct]
    summary: str
    answers: tuple[type[msgspec.Struct], ...] = ()

    @property
    def receives(self) -> bool:
        return self.message in get_args(messages.Request)


OPERATIONS = (
    Does(
        "authenticate",
        "live",
        messages.Authenticate,
        "Takes a token, for boards that are not public. One that does not hold closes with 4501.",
        (messages.Authenticated,),
    ),
    Does(
        "subscribe",
        "live",
        messages.Subscribe,
        "Begins to watch a table: answered with `subscribed`, then the board unless `recovered`.",
        (messages.Subscribed, messages.Error),
    ),
    Does(
        "unsubscribe",
        "live",
        messages.Unsubscribe,
        "Watches a table no more.",
        (messages.Unsubscribed, messages.Error),
    ),
    Does("ping", "live", messages.Ping, "Is answered, so that a client can tell a dead connection.", (messages.Pong,)),
    Does("showTop", "live", Top, "Sends the whole top N of a table that is watched, whenever it changes."),
    Does("endSubscription", "live", messages.Error, "Says that a table can be watched no more: `subscription_ended`."),
    Does("streamTop", "stream", Top, "Sends events named `top`, with the same data; the id is `epoch:offset`."),
)


def document() -> bytes:
    kinds = [type(example) for example in EXAMPLES]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return msgspec.json.encode(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Scoreboard, live",
                "version": __version__,
                "description": INTRODUCTION,
                "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            },
            "defaultContentType": "application/json",
            "servers": {"websocket": _server("ws"), "events": _server("http")},
            "channels": {"live": _live(), "stream": _stream()},
            "operations": {does.name: _operation(does) for does in OPERATIONS},
            "components": {
                "schemas": schemas,
                "messages": {_name(type(example)): _message(example) for example in EXAMPLES},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
            "x-close-codes": [close._asdict() for close in CLOSES],
        }
    )


def _server(protocol: str) -> dict[str, Any]:
    address = {"default": "127.0.0.1:8000", "description": "Where the service listens, or its proxy."}
    return {"host": "{host}", "protocol": protocol, "variables": {"host": address}}


def _live() -> dict[str, Any]:
    query = {"type": "object", "properties": {"token": {"type": "string", "description": "For browsers."}}}
    return {
        "address": "/v1/live",
        "title": "WebSocket",
        "description": "One socket, any number of tables. Each message is a JSON text with its `type`.",
        "servers": [_ref("servers", "websocket")],
        "messages": _messages_of("live"),
        "bindings": {"ws": {"method": "GET", "query": query}},
    }


def _stream() -> dict[str, Any]:
    return {
        "address": "/v1/apps/{app}/boards/{board}/stream",
        "title": "Server-Sent Events",
        "description": "One table. `?region=` and `?season=` choose it; `?token=` is for browsers and private boards.",
        "servers": [_ref("servers", "events")],
        "parameters": {"app": {"description": "Id of the app."}, "board": {"description": "Id of the board."}},
        "messages": _messages_of("stream"),
    }


def _messages_of(channel: str) -> dict[str, Any]:
    kinds = {kind for does in OPERATIONS if does.channel == channel for kind in (does.message, *does.answers)}
    return {_name(type(e)): _ref("components", "messages", _name(type(e))) for e in EXAMPLES if type(e) in kinds}


def _operation(does: Does) -> dict[str, Any]:
    channel = _ref("channels", does.channel)
    operation: dict[str, Any] = {
        "action": "receive" if does.receives else "send",
        "channel": channel,
        "summary": does.summary,
        "messages": _refs(does.channel, [does.message]),
    }
    if does.answers:
        operation["reply"] = {"channel": channel, "messages": _refs(does.channel, does.answers)}
    if does.channel == "stream":
        operation["bindings"] = {"http": {"method": "GET"}}
    return operation


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
    """The `type` of its messages."""
    return str(kind.__struct_config__.tag)
