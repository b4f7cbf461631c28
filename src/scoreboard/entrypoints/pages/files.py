"""Files of the package that are served by name."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

from scoreboard.domain import codes
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
GUARDS = b"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"


class _Read(NamedTuple):
    body: bytes
    etag: str
    media_type: str


class Files:
    """The files of some folders in this package, each read at its first request.

    `policy` is the value of their Content-Security-Policy.
    """

    def __init__(self, policy: str, *folders: str) -> None:
        self._headers = f"Content-Security-Policy: {policy}\r\n".encode() + GUARDS + b"Cache-Control: no-cache\r\n"
        entries = (entry for folder in folders for entry in (files(__package__) / folder).iterdir())
        self._entries = {entry.name: entry for entry in entries if _suffix(entry.name) in TYPES}
        self._read: dict[str, _Read] = {}

    def reply(self, call: RequestContext, name: str) -> Response:
        if name not in self._entries:
            raise codes.FILE_NOT_FOUND.error("the page has no such file; reload the page")
        if name not in self._read:
            body = self._entries[name].read_bytes()
            self._read[name] = _Read(body, f'"{hashlib.sha256(body).hexdigest()[:16]}"', TYPES[_suffix(name)])
        read = self._read[name]
        headers = self._headers + f"ETag: {read.etag}\r\n".encode()
        if call.has_current(read.etag):
            return Response(304, b"", headers)
        return Response(200, read.body, headers, read.media_type)


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]
