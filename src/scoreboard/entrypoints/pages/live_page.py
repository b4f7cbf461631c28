"""The live page and its element, served to pages of every origin.

Modules and styles are served at `/page/{version}/`, where the version is a digest of all files. Browsers may cache them
permanently. The two stable addresses, `/` and `/embed.js`, refer to the version and are revalidated each time.
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
REVALIDATED = b"Cache-Control: no-cache\r\n"
IMMUTABLE = b"Cache-Control: public, max-age=31536000, immutable\r\n"

_endpoint = partial(endpoint, "GET", tag="service", policy="use_service", described=False)


class PublicResponse(Response):
    """A response that pages of any origin may read."""

    def __init__(self, status: int, body: bytes = b"", headers: bytes = b"", content_type: str = JSON) -> None:
        super().__init__(status, body, headers + b"Access-Control-Allow-Origin: *\r\n", content_type)

    def add(self, headers: bytes) -> None:
        """Ignore the server's CORS headers, which would contradict those of this class."""


class Pages:
    def __init__(self) -> None:
        contents = dict(_page_files(files(__package__) / "page"))
        whole = hashlib.blake2b(digest_size=8)
        for name in sorted(contents):
            whole.update(b"%b\0%b\0" % (name.encode(), contents[name]))
        self._version = whole.hexdigest()
        self._files = {name: body.replace(PLACEHOLDER, self._version.encode()) for name, body in contents.items()}

    @_endpoint("/", name="getPage")
    async def page(self, call: RequestContext) -> web.StreamResponse:
        """Get the live page."""
        return self._file(Response, call, "index.html", POLICY + REVALIDATED)

    @_endpoint("/embed.js", name="getEmbed")
    async def embed(self, call: RequestContext) -> web.StreamResponse:
        """Get the element for pages of other sites."""
        return self._file(PublicResponse, call, "embed.js", REVALIDATED)

    @_endpoint("/page/{version}/{file}", name="getPageFile")
    async def file(self, call: RequestContext) -> web.StreamResponse:
        """Get a file of the live page."""
        return self._versioned(call, call.path[1])

    @_endpoint("/page/{version}/client/{module}", name="getPageModule")
    async def module(self, call: RequestContext) -> web.StreamResponse:
        """Get a module of the client."""
        return self._versioned(call, f"client/{call.path[1]}")

    def _versioned(self, call: RequestContext, name: str) -> Response:
        """Serve a file to pages of any release; browsers may cache the current one."""
        version = call.path[0]
        if VERSION.fullmatch(version) is None:
            raise _no_file()
        return self._file(PublicResponse, call, name, IMMUTABLE if version == self._version else REVALIDATED)

    def _file(self, reply: type[Response], call: RequestContext, name: str, headers: bytes) -> Response:
        if name not in self._files:
            raise _no_file()
        etag = f'"{self._version}"'
        headers += f"ETag: {etag}\r\nX-Content-Type-Options: nosniff\r\n".encode()
        if call.has_current(etag):
            return reply(304, b"", headers)
        return reply(200, self._files[name], headers, TYPES[name.rpartition(".")[2]])


def _no_file() -> NotFound:
    return codes.FILE_NOT_FOUND.error("the page has no such file; reload the page")


def _page_files(folder: Traversable, below: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the files of the page by name, such as `client/connection.js`."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _page_files(entry, f"{below}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield below + entry.name, entry.read_bytes()
