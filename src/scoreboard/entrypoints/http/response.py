"""Response: a complete answer, written to the connection in one piece.

aiohttp's own Response builds a header map and writes head and body apart; for answers of some hundred bytes that costs
more than making them. What it takes care of is taken care of here too: HEAD, HTTP/1.0, `Connection: close`, Date.
"""

import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

JSON = "application/json"
_HEADS = {
    (status.value, minor): f"HTTP/1.{minor} {status.value} {status.phrase}\r\n".encode()
    for status in HTTPStatus
    for minor in (0, 1)
}
_date = (0, b"")


class Response(web.StreamResponse):
    """`headers` are lines that end in CRLF; content type and length, date and connection are added."""

    def __init__(self, status: int, body: bytes = b"", headers: bytes = b"", content_type: str = JSON) -> None:
        # Not super().__init__(): what it sets up is not used.
        self._reply_status = status
        self._reply_body = body
        self._reply_headers = headers
        self._content_type_name = content_type
        self._closes = False

    @property
    def status(self) -> int:
        return self._reply_status

    @property
    def body(self) -> bytes:
        return self._reply_body

    @property
    def keep_alive(self) -> bool:
        return not self._closes

    def add(self, headers: bytes) -> None:
        self._reply_headers += headers

    def force_close(self) -> None:
        self._closes = True

    def encoded(self, method: str, minor: int) -> bytes:
        """The answer to a request by this method, in HTTP/1.`minor`, head and body in one piece."""
        head = _HEADS[self._reply_status, 0 if minor == 0 else 1]
        body = self._reply_body
        if self._reply_status in {204, 304}:
            head += b"%bDate: %b\r\n" % (self._reply_headers, _now())
        else:
            kind = self._content_type_name.encode()
            head += b"%bContent-Type: %b\r\nContent-Length: %d\r\nDate: %b\r\n" % (
                self._reply_headers,
                kind,
                len(body),
                _now(),
            )
        if self._closes:
            head += b"Connection: close\r\n"
        elif minor == 0:
            head += b"Connection: keep-alive\r\n"
        return head + b"\r\n" if method == "HEAD" else head + b"\r\n" + body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client went away")
        self._closes = self._closes or not request.keep_alive
        transport.write(self.encoded(request.method, request.version.minor))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


def _now() -> bytes:
    """The Date header's value, made once a second."""
    global _date  # noqa: PLW0603 - a cache of one
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True).encode()
    return _date[1]
