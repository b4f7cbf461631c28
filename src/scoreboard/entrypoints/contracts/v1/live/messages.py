"""Messages of the WebSocket except the top N. Each is a JSON text with a `type`."""

import msgspec


class Position(msgspec.Struct, forbid_unknown_fields=True):
    epoch: str
    offset: int


class Authenticate(msgspec.Struct, tag="authenticate", forbid_unknown_fields=True):
    """A token, whose permissions apply from now on."""

    token: str


class Subscribe(msgspec.Struct, tag="subscribe", forbid_unknown_fields=True):
    """A request to watch a table.

    A `season` of null follows the current season. `position` is that of the top N that the client has.
    """

    app: str
    board: str
    region: str | None = None
    season: str | None = None
    position: Position | None = None


class Unsubscribe(msgspec.Struct, tag="unsubscribe", forbid_unknown_fields=True):
    """A request to stop watching a table."""

    app: str
    board: str
    region: str | None = None
    season: str | None = None


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """A request for a pong."""


class Authenticated(msgspec.Struct, tag="authenticated"):
    """The confirmation of a valid token."""


class Subscribed(msgspec.Struct, tag="subscribed"):
    """The confirmation of a subscription.

    If `recovered`, the client already has the newest top N, and no message follows.
    """

    app: str
    board: str
    region: str | None
    season: str | None
    recovered: bool
    epoch: str
    offset: int


class Unsubscribed(msgspec.Struct, tag="unsubscribed"):
    """The confirmation that a table is no longer watched."""

    app: str
    board: str
    region: str | None
    season: str | None


class Pong(msgspec.Struct, tag="pong"):
    """The reply to a ping."""


class Error(msgspec.Struct, tag="error"):
    """A refused request, with its table; the connection stays open."""

    code: str
    detail: str
    app: str | None = None
    board: str | None = None
    region: str | None = None
    season: str | None = None


Request = Authenticate | Subscribe | Unsubscribe | Ping

decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode
