"""The API reference: OpenAPI, AsyncAPI, and a page to read and try them."""

from functools import partial

from aiohttp import web

from scoreboard.entrypoints.http.endpoint import endpoint
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.pages.files import Files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


_endpoint = partial(endpoint, "GET", tag="service", policy="use_service", described=False)


class Reference:
    """The OpenAPI document, and a page that shows it without other servers."""

    def __init__(self, openapi: bytes) -> None:
        self._openapi = openapi
        self._files = Files(POLICY, "docs", "docs/swagger-ui")

    @_endpoint("/openapi.json", name="getOpenApi")
    async def openapi(self, _: RequestContext) -> web.StreamResponse:
        """Get the OpenAPI document."""
        return Response(200, self._openapi, b"Cache-Control: no-cache\r\n")

    @_endpoint("/docs", name="getDocs")
    async def page(self, call: RequestContext) -> web.StreamResponse:
        """Get the page of the API documentation."""
        return self._files.reply(call, "index.html")

    @_endpoint("/docs/{file}", name="getDocsFile")
    async def file(self, call: RequestContext) -> web.StreamResponse:
        """Get a file of the documentation page."""
        return self._files.reply(call, call.path[0])


class LiveReference:
    """The AsyncAPI document of the live endpoints."""

    def __init__(self, asyncapi: bytes) -> None:
        self._asyncapi = asyncapi

    @_endpoint("/asyncapi.json", name="getAsyncApi")
    async def asyncapi(self, _: RequestContext) -> web.StreamResponse:
        """Get the AsyncAPI document."""
        return Response(200, self._asyncapi, b"Cache-Control: no-cache\r\n")
