"""Response: a complete response, written to the connection in one piece.

aiohttp's own Response builds a header map and writes head and body apart. For responses of some hundred bytes that
takes longer than the handler. Like aiohttp's, this one handles HEAD, HTTP/1.0, `Connection: close` and Date.
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
    """A status, a body and `headers`, which are lines that end in CRLF.

    Content type and length, date and connection are added.
    """

    def __init__(self, status: int, body: bytes = b"", headers: bytes = b"", content_type: str = JSON) -> None:
        # Without super().__init__(): nothing that it sets up is used.
        self._status_code = status
        self._body_bytes = body
        self._header_lines = headers
        self._media_type = content_type
        self._must_close = False

    @property
    def status(self) -> int:
        return self._status_code

    @property
    def body(self) -> bytes:
        return self._body_bytes

    @property
    def keep_alive(self) -> bool:
        return not self._must_close

    def add(self, headers: bytes) -> None:
        self._header_lines += headers

    def force_close(self) -> None:
        self._must_close = True

    def encoded(self, method: str, minor: int) -> bytes:
        """Encode head and body for a request by this method in HTTP/1.`minor`."""
        head = _HEADS[self._status_code, 0 if minor == 0 else 1]
        body = self._body_bytes
        if self._status_code in {204, 304}:
            head += b"%bDate: %b\r\n" % (self._header_lines, _now())
        else:
            kind = self._media_type.encode()
            head += b"%bContent-Type: %b\r\nContent-Length: %d\r\nDate: %b\r\n" % (
                self._header_lines,
                kind,
                len(body),
                _now(),
            )
        if self._must_close:
            head += b"Connection: close\r\n"
        elif minor == 0:
            head += b"Connection: keep-alive\r\n"
        return head + b"\r\n" if method == "HEAD" else head + b"\r\n" + body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client disconnected")
        self._must_close = self._must_close or not request.keep_alive
        transport.write(self.encoded(request.method, request.version.minor))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` wrote everything."""


def _now() -> bytes:
    """Return the value of the Date header, formatted once a second."""
    global _date  # noqa: PLW0603 - a cache of one value
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True).encode()
    return _date[1]
