"""Endpoint: one method and path of an API, declared at its handler.

Routing, authorization tests and OpenAPI follow from the declaration.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from aiohttp import web

from scoreboard.application.identity.policy import POLICY, UseCase
from scoreboard.entrypoints.http.errors import ErrorCode
from scoreboard.entrypoints.http.request import RequestContext

Handler: TypeAlias = Callable[[RequestContext], Awaitable[web.StreamResponse]]

P = ParamSpec("P")
M = TypeVar("M", bound=Callable[..., Any])

_BIND = "_bind_endpoint"  # the attribute of a declared method


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method and path of an API, with its handler, types and permission.

    `path` is a template such as `/v1/apps/{app}`, and `policy` a row of the policy table.

    `responses` are the successes by status: a type for JSON, None for an empty body, text for another media type.
    `errors` are the codes that path, body, query and policy do not imply.

    The handler's docstring is shown to users: its first line is the summary, the rest, in Markdown, the description.
    The description ends with the required access, from the policy table.
    """

    handler: Handler
    method: str
    path: str
    name: str
    tag: str
    policy: UseCase
    body: type | None = None
    query: type | None = None
    responses: dict[int, type | str | None] = field(default_factory=dict)
    errors: Sequence[ErrorCode] = ()
    request_headers: Sequence[str] = ()
    response_headers: Sequence[str] = ()
    described: bool = True

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.handler) or "").partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        text = (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()
        access = POLICY[self.policy].access
        return "\n\n".join(filter(None, (text, access and f"**Access**: {access}")))

    @property
    def path_names(self) -> list[str]:
        """Return the names in the braces of the path, in order."""
        return [segment[1:-1] for segment in self.path.split("/") if segment.startswith("{")]

    @property
    def accepts_token(self) -> bool:
        """Return whether a credential is read, even if a public board requires none."""
        return POLICY[self.policy].permission is not None

    @property
    def requires_token(self) -> bool:
        """Return whether a credential is always required."""
        return self.accepts_token and not POLICY[self.policy].public_boards


class _Decorator(Protocol):
    def __call__(self, method: M, /) -> M: ...


def _decorator(make: Callable[Concatenate[Handler, P], Endpoint]) -> Callable[P, _Decorator]:
    """Return a decorator that takes the parameters of an endpoint without its handler."""

    def declare(*args: P.args, **kwargs: P.kwargs) -> _Decorator:
        def mark(method: M) -> M:
            setattr(method, _BIND, lambda handler: make(handler, *args, **kwargs))
            return method

        return mark

    return declare


endpoint = _decorator(Endpoint)
"""Declare a method as the handler of an endpoint: `@endpoint("GET", "/v1/apps", name="listApps", …)`."""


def routes(*objects: object) -> list[Endpoint]:
    """Return the endpoints that the objects' methods declare, in source order."""
    return [
        getattr(function, _BIND)(getattr(item, name))
        for item in objects
        for name, function in vars(type(item)).items()
        if hasattr(function, _BIND)
    ]
