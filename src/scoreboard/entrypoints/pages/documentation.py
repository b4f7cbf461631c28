"""The API's own description: OpenAPI, from the endpoints really served, AsyncAPI, and a page to read and try."""

from aiohttp import web

from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.pages.files import Files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Reference:
    """An OpenAPI document, in JSON, and a page that shows it. The page needs nothing from elsewhere."""

    def __init__(self, openapi: bytes) -> None:
        self._openapi = openapi
        self._files = Files(POLICY, "docs", "docs/swagger-ui")

    @endpoint("GET", "/openapi.json", name="getOpenApi", tag="service", policy="use_service", described=False)
    async def openapi(self, _: RequestContext) -> web.StreamResponse:
        """Get the OpenAPI document."""
        return Response(200, self._openapi, b"Cache-Control: no-cache\r\n")

    @endpoint("GET", "/docs", name="getDocs", tag="service", policy="use_service", described=False)
    async def page(self, call: RequestContext) -> web.StreamResponse:
        """Get the page of the API documentation."""
        return self._files.reply(call, "index.html")

    @endpoint("GET", "/docs/{file}", name="getDocsFile", tag="service", policy="use_service", described=False)
    async def file(self, call: RequestContext) -> web.StreamResponse:
        """Get a file of the documentation page."""
        return self._files.reply(call, call.path[0])


class LiveReference:
    """`asyncapi` describes the live doors, in JSON."""

    def __init__(self, asyncapi: bytes) -> None:
        self._asyncapi = asyncapi

    @endpoint("GET", "/asyncapi.json", name="getAsyncApi", tag="service", policy="use_service", described=False)
    async def asyncapi(self, _: RequestContext) -> web.StreamResponse:
        """Get the AsyncAPI document."""
        return Response(200, self._asyncapi, b"Cache-Control: no-cache\r\n")
