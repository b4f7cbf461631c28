"""Cursors: where a page ended, sealed so that a client can neither read meaning into it nor make one up."""

import base64
import hashlib
import hmac

import msgspec

from scoreboard.domain import codes
from scoreboard.domain.submission import TableKey

SIGNATURE_BYTES = 12


class Cursor(msgspec.Struct, array_like=True):
    """The key of the last line of a page. The next page begins strictly after it, wherever that is by then."""

    table: TableKey
    score: int
    reached_at: int
    player: str


class Cursors:
    """`key` is a secret of the server, at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(b"cursor", key=key[:64]).digest()

    def encode(self, cursor: Cursor) -> str:
        body = msgspec.msgpack.encode(cursor)
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def decode(self, text: str, table: TableKey) -> Cursor:
        """Raises Invalid for a cursor that was not made here, or was made for another table."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(seal, self._sign(body)):
            raise codes.INVALID_CURSOR.error("this cursor was not made by this server; begin again without one")
        cursor = msgspec.msgpack.decode(body, type=Cursor)
        if cursor.table != table:
            raise codes.INVALID_CURSOR.error("this cursor belongs to another board, season or region")
        return cursor

    def _sign(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=SIGNATURE_BYTES).digest()
