"""Cursors: opaque, signed tokens for the next page of a list."""

import base64
import hashlib
import hmac

import msgspec

from scoreboard.domain import codes
from scoreboard.domain.submission import TableKey

SIGNATURE_BYTES = 12


class Cursor(msgspec.Struct, array_like=True):
    """The sort key of the last line of a page, after which the next page begins."""

    table: TableKey
    score: int
    reached_at: int  # in microseconds since 1970
    player: str


class Cursors:
    """The encoder of cursors. It signs them with a secret key of at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(b"cursor", key=key[:64]).digest()

    def encode(self, cursor: Cursor) -> str:
        """Return a token that needs no escaping in a URL."""
        body = msgspec.msgpack.encode(cursor)
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def decode(self, text: str, table: TableKey) -> Cursor:
        """Return the cursor of a token. Raise Invalid if it is forged or of another table."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise codes.INVALID_CURSOR.error("this server did not issue the cursor; start again without one")
        cursor = msgspec.msgpack.decode(body, type=Cursor)
        if cursor.table != table:
            raise codes.INVALID_CURSOR.error("the cursor belongs to another board, season or region")
        return cursor

    def _sign(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=SIGNATURE_BYTES).digest()
