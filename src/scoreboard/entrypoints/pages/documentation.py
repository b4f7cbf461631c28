"""The API's own description: OpenAPI, from the operations really served, AsyncAPI, and a page to read and try."""

from collections.abc import Sequence

from aiohttp import web

from scoreboard.entrypoints.contracts.v1.descriptions import WORDS
from scoreboard.entrypoints.http import openapi
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.router import Endpoint, RequestContext
from scoreboard.entrypoints.pages.files import Files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Reference:
    """`described` are the operations that OpenAPI tells of. Nothing that the page needs is elsewhere."""

    def __init__(self, described: Sequence[Endpoint]) -> None:
        self._openapi = openapi.document(described, WORDS)
        self._files = Files(POLICY, "docs", "docs/swagger-ui")

    def routes(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "/openapi.json", "getOpenApi", "OpenAPI", self.openapi, "service", described=False),
            Endpoint(
                "GET", "/docs", "getDocs", "This description, to read and try", self.page, "service", described=False
            ),
            Endpoint(
                "GET", "/docs/{file}", "getDocsFile", "A file of that page", self.file, "service", described=False
            ),
        ]

    async def openapi(self, _: RequestContext) -> web.StreamResponse:
        return Response(200, self._openapi, b"Cache-Control: no-cache\r\n")

    async def page(self, call: RequestContext) -> web.StreamResponse:
        return self._files.reply(call, "index.html")

    async def file(self, call: RequestContext) -> web.StreamResponse:
        return self._files.reply(call, call.path[0])


class LiveReference:
    """`asyncapi` describes the live doors, in JSON."""

    def __init__(self, asyncapi: bytes) -> None:
        self._asyncapi = asyncapi

    def routes(self) -> list[Endpoint]:
        return [Endpoint("GET", "/asyncapi.json", "getAsyncApi", "AsyncAPI", self.asyncapi, "service", described=False)]

    async def asyncapi(self, _: RequestContext) -> web.StreamResponse:
        return Response(200, self._asyncapi, b"Cache-Control: no-cache\r\n")
