"""The API's own description: the OpenAPI document, from the operations that are really served."""

from collections.abc import Sequence

from aiohttp import web

from scoreboard.entrypoints.http import openapi
from scoreboard.entrypoints.http.operations import Call, Operation
from scoreboard.entrypoints.http.reply import Reply
from scoreboard.entrypoints.http.v1.words import WORDS


class Reference:
    def __init__(self, described: Sequence[Operation]) -> None:
        self._openapi = openapi.document(described, WORDS)

    def operations(self) -> list[Operation]:
        return [Operation("GET", "/openapi.json", "getOpenApi", "OpenAPI", self.openapi, "service", described=False)]

    async def openapi(self, _: Call) -> web.StreamResponse:
        return Reply(200, self._openapi, b"Cache-Control: no-cache\r\n")
