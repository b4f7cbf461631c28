"""The live page and its element, served to pages of every origin; the boards that they may choose from.

Modules and styles live at `/page/{version}/`, where the version is a digest of them all: a browser may keep them for
good. The two addresses that do not change, `/` and `/embed.js`, name the version and are asked about each time.
"""

import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from scoreboard.application.standings.public_boards import MAX_LISTED, PublicBoards
from scoreboard.domain.board import Board, Direction, Operator, Period
from scoreboard.domain.errors import NotFound
from scoreboard.entrypoints.http.conditional import matches
from scoreboard.entrypoints.http.response import JSON, Response
from scoreboard.entrypoints.http.router import Endpoint, RequestContext
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


class PublicResponse(Response):
    """What a page of any origin may read. The server's own word on origins, added to every reply, is not needed."""

    def __init__(self, status: int, body: bytes = b"", headers: bytes = b"", content_type: str = JSON) -> None:
        super().__init__(status, body, headers + b"Access-Control-Allow-Origin: *\r\n", content_type)

    def add(self, headers: bytes) -> None:
        """Nothing: two words on origins would contradict each other."""


class PageBoard(msgspec.Struct):
    """A public board, as far as a page needs it."""

    app: str
    app_name: str
    board: str
    name: str
    operator: Operator
    direction: Direction
    period: Period
    regions: tuple[str, ...]
    top_n: int


class PageBoards(msgspec.Struct):
    """`shown` is the board asked for, or else the first; null when there is none, or when it is not public. `seasons`
    are those of `shown`, the current one first. `boards` are public boards to choose from."""

    shown: PageBoard | None
    seasons: list[str]
    boards: list[PageBoard]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    app: str | None = None
    board: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100


class Listing:
    """What there is to choose from."""

    def __init__(self, boards: PublicBoards) -> None:
        self._boards = boards

    def routes(self) -> list[Endpoint]:
        return [
            Endpoint(
                "GET",
                "/v1/page",
                "getPublicBoards",
                "The boards that everybody may read",
                self.public_boards,
                "service",
                query=PageQuery,
                replies={200: PageBoards},
                errors=("storage_failed",),
                secured=False,
            )
        ]

    async def public_boards(self, call: RequestContext) -> web.StreamResponse:
        """The board named, or else the first that fits, with its seasons; and public boards to choose from. One that is
        not public is neither shown nor listed. The list may be a second old."""
        query = call.query(PageQuery)
        shown = await self._boards.shown(query.app, query.board)
        seasons = [] if shown is None else await self._boards.seasons(shown)
        listed = (await self._boards.listed())[: query.limit]
        answer = PageBoards(None if shown is None else _page_board(shown), seasons, [_page_board(b) for b in listed])
        return Response(200, msgspec.json.encode(answer), b"Cache-Control: no-store\r\n")


class Pages:
    def __init__(self) -> None:
        found = dict(_found(files(__package__) / "page"))
        whole = hashlib.blake2b(digest_size=8)
        for name in sorted(found):
            whole.update(b"%b\0%b\0" % (name.encode(), found[name]))
        self._version = whole.hexdigest()
        self._files = {name: body.replace(PLACEHOLDER, self._version.encode()) for name, body in found.items()}

    def routes(self) -> list[Endpoint]:
        served = (
            ("/", "getPage", "The live page", self.page),
            ("/embed.js", "getEmbed", "The element for pages of other sites", self.embed),
            ("/page/{version}/{file}", "getPageFile", "A file of the live page", self.file),
            ("/page/{version}/client/{module}", "getPageModule", "A module of the client", self.module),
        )
        return [
            Endpoint("GET", path, name, summary, handler, "service", described=False)
            for path, name, summary, handler in served
        ]

    async def page(self, call: RequestContext) -> web.StreamResponse:
        return self._file(Response, call, "index.html", POLICY + ASKED_EACH_TIME)

    async def embed(self, call: RequestContext) -> web.StreamResponse:
        return self._file(PublicResponse, call, "embed.js", ASKED_EACH_TIME)

    async def file(self, call: RequestContext) -> web.StreamResponse:
        return self._versioned(call, call.path[1])

    async def module(self, call: RequestContext) -> web.StreamResponse:
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
        asked = call.header("If-None-Match")
        if asked is not None and matches(etag, asked):
            return reply(304, b"", headers)
        return reply(200, self._files[name], headers, TYPES[name.rpartition(".")[2]])


def _no_file() -> NotFound:
    return NotFound("file_not_found", "the page has no such file")


def _found(folder: Traversable, below: str = "") -> Iterator[tuple[str, bytes]]:
    """The files of the page by name, such as `rows.js` and `client/connection.js`."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _found(entry, f"{below}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            yield below + entry.name, entry.read_bytes()


def _page_board(board: Board) -> PageBoard:
    return PageBoard(
        board.app.app,
        board.app.name,
        board.board,
        board.name,
        board.operator,
        board.direction,
        board.period,
        board.regions,
        board.top_n,
    )
