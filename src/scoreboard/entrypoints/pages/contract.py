"""The contract of the pages: no credential, and the error format of `/v1`."""

from collections.abc import Sequence

from aiohttp import web

from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint


def pages(routes: Sequence[Endpoint]) -> Contract:
    return Contract("pages", routes, _nobody, render_error)


async def _nobody(_: web.BaseRequest) -> None:
    return None
