"""The live page and its element, served to pages of every origin.

Modules and styles live at `/page/{version}/`, where the version is a digest of them all: a browser may keep them for
good. The two addresses that do not change, `/` and `/embed.js`, name the version and are asked about each time.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web

from scoreboard.domain import codes
from scoreboard.domain.errors import NotFound
from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import JSON, Response
from scoreboard.entrypoints.pages.files import TYPES

POLICY = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    b"Referrer-Policy: no-referrer\r\n"
)
VERSION = re.compile(r"[0-9a-f]{16}")
PLACEHOLDER = b"{version}"
ASKED_EACH_TIME = b"Cache-Control: no-cache\r\n"
KEPT_FOR_GOOD = b"Cache-Control: public, max-age=31536000, immutable\r\n"


_endpoint = partial(endpoint, "GET", tag="service", policy="use_service", described=False)


class PublicResponse(Response):
    """What a page of any origin may read. The server's own word on origins, added to every reply, is not needed."""

    def __init__(self, status: int, body: bytes = b"", headers: bytes = b"", content_type: str = JSON) -> None:
        super().__init__(status, body, headers + b"Access-Control-Allow-Origin: *\r\n", content_type)

    def add(self, headers: bytes) -> None:
        """Nothing: two words on origins would contradict each other."""


class Pages:
    def __init__(self) -> None:
        found = dict(_found(files(__package__) / "page"))
        whole = hashlib.blake2b(digest_size=8)
        for name in sorted(found):
            whole.update(b"%b\0%b\0" % (name.encode(), found[name]))
        self._version = whole.hexdigest()
        self._files = {name: body.replace(PLACEHOLDER, self._version.encode()) for name, body in found.items()}

    @_endpoint("/", name="getPage")
    async def page(self, call: RequestContext) -> web.StreamResponse:
        """Get the live page."""
        return self._file(Response, call, "index.html", POLICY + ASKED_EACH_TIME)

    @_endpoint("/embed.js", name="getEmbed")
    async def embed(self, call: RequestContext) -> web.StreamResponse:
        """Get the element for pages of other sites."""
        return self._file(PublicResponse, call, "embed.js", ASKED_EACH_TIME)

    @_endpoint("/page/{version}/{file}", name="getPageFile")
    async def file(self, call: RequestContext) -> web.StreamResponse:
        """Get a file of the live page."""
        return self._versioned(call, call.path[1])

    @_endpoint("/page/{version}/client/{module}", name="getPageModule")
    async def module(self, call: RequestContext) -> web.StreamResponse:
        """Get a module of the client."""
        return self._versioned(call, f"client/{call.path[1]}")

    def _versioned(self, call: RequestContext, name: str) -> Response:
        """Another version is that of another release: it gets the files of this one, not to be kept."""
        version = call.path[0]
        if VERSION.fullmatch(version) is None:
            raise _no_file()
        return self._file(PublicResponse, call, name, KEPT_FOR_GOOD if version == self._version else ASKED_EACH_TIME)

    def _file(self, reply: type[Response], call: RequestContext, name: str, headers: bytes) -> Response:
        if name not in self._files:
            raise _no_file()
        etag = f'"{self._version}"'
        headers += f"ETag: {etag}\r\nX-Content-Type-Options: nosniff\r\n".encode()
        if call.has_current(etag):
            return reply(304, b"", headers)
        return reply(200, self._files[name], headers, TYPES[name.rpartition(".")[2]])


def _no_file() -> NotFound:
    return codes.FILE_NOT_FOUND.error("the page has no such file")


def _found(folder: Traversable, below: str = "") -> Iterator[tuple[str, bytes]]:
    """The files of the page by name, such as `rows.js` and `client/connection.js`."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _found(entry, f"{below}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield below + entry.name, entry.read_bytes()
