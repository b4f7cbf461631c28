"""Contract: a published API over HTTP, mounted on a server together with others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from scoreboard.application.ports.authentication import Principal
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import HttpError
from scoreboard.entrypoints.http.response import Response

Authenticate: TypeAlias = Callable[[web.BaseRequest], Awaitable[Principal | None]]
"""Return the principal of a request, or None without a credential. Raises Unauthenticated for an invalid one."""

RenderError: TypeAlias = Callable[[ScoreboardError | HttpError], Response]
"""Return the response to a request that was refused or failed, in the contract's own shape."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A published API: its routes, errors and authentication.

    `media_types` are those of request bodies. Pages of other origins may send `request_headers` and read
    `response_headers`.
    """

    name: str
    routes: Sequence[Endpoint]
    authenticate: Authenticate
    render_error: RenderError
    media_types: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
