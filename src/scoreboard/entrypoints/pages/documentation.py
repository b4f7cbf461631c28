"""The API reference: OpenAPI, AsyncAPI, and a page to read and try them."""

from aiohttp import web

from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.pages.files import Files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Reference:
    """The OpenAPI document, and a page that shows it without other servers."""

    def __init__(self, openapi: bytes) -> None:
        self._openapi = openapi
        self._files = Files(POLICY, "docs", "docs/swagger-ui")

    def routes(self) -> list[Endpoint]:
        served = (
            ("/openapi.json", "getOpenApi", "OpenAPI", self.openapi),
            ("/docs", "getDocs", "This description, to read and try", self.page),
            ("/docs/{file}", "getDocsFile", "A file of that page", self.file),
        )
        return [
            Endpoint("GET", path, name, summary, handler, "service", "use_service", described=False)
            for path, name, summary, handler in served
        ]

    async def openapi(self, _: RequestContext) -> web.StreamResponse:
        return Response(200, self._openapi, b"Cache-Control: no-cache\r\n")

    async def page(self, call: RequestContext) -> web.StreamResponse:
        return self._files.reply(call, "index.html")

    async def file(self, call: RequestContext) -> web.StreamResponse:
        return self._files.reply(call, call.path[0])


class LiveReference:
    """The AsyncAPI document of the live endpoints."""

    def __init__(self, asyncapi: bytes) -> None:
        self._asyncapi = asyncapi

    def routes(self) -> list[Endpoint]:
        path, name = "/asyncapi.json", "getAsyncApi"
        return [Endpoint("GET", path, name, "AsyncAPI", self.asyncapi, "service", "use_service", described=False)]

    async def asyncapi(self, _: RequestContext) -> web.StreamResponse:
        return Response(200, self._asyncapi, b"Cache-Control: no-cache\r\n")
