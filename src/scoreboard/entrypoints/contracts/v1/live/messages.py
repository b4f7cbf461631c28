"""What is said on `/v1/live`, beside the boards themselves. Each is a JSON text with its `type`."""

import msgspec


class Position(msgspec.Struct, forbid_unknown_fields=True):
    epoch: str
    offset: int


class Authenticate(msgspec.Struct, tag="authenticate", forbid_unknown_fields=True):
    """Watch, from now on, with the rights of this token."""

    token: str


class Subscribe(msgspec.Struct, tag="subscribe", forbid_unknown_fields=True):
    """`season` null follows the current one; `position` is what the client has."""

    app: str
    board: str
    region: str | None = None
    season: str | None = None
    position: Position | None = None


class Unsubscribe(msgspec.Struct, tag="unsubscribe", forbid_unknown_fields=True):
    """Watch this table no more."""

    app: str
    board: str
    region: str | None = None
    season: str | None = None


class Ping(msgspec.Struct, tag="ping", forbid_unknown_fields=True):
    """Asks for a pong."""


class Authenticated(msgspec.Struct, tag="authenticated"):
    """The token holds."""


class Subscribed(msgspec.Struct, tag="subscribed"):
    """`recovered`: the client has the newest board already, and no message follows."""

    app: str
    board: str
    region: str | None
    season: str | None
    recovered: bool
    epoch: str
    offset: int


class Unsubscribed(msgspec.Struct, tag="unsubscribed"):
    """Nothing more comes of this table."""

    app: str
    board: str
    region: str | None
    season: str | None


class Pong(msgspec.Struct, tag="pong"):
    """The answer to a ping."""


class Error(msgspec.Struct, tag="error"):
    """The request named by the other fields was refused; the connection stays."""

    code: str
    detail: str
    app: str | None = None
    board: str | None = None
    region: str | None = None
    season: str | None = None


Request = Authenticate | Subscribe | Unsubscribe | Ping

decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode
