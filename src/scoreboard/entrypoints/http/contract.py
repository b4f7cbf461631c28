"""Contract: a published way to use the service over HTTP, mounted on a server beside others."""

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
"""The principal of a request; None without a credential. Raises Unauthenticated for one that is not valid."""

RenderError: TypeAlias = Callable[[ScoreboardError | HttpError], Response]
"""The answer to a request that was refused or failed, in the contract's own shape."""


@dataclass(frozen=True, slots=True)
class Contract:
    """`media_types` are those that a request body may have. `request_headers` may be sent, and `response_headers` read,
    by pages of other origins."""

    name: str
    routes: Sequence[Endpoint]
    authenticate: Authenticate
    render_error: RenderError
    media_types: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
