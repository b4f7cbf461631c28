"""Endpoint: one method of one path, declared once. Routing, authorization tests and OpenAPI follow from it."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

from scoreboard.application.identity.policy import POLICY, UseCase
from scoreboard.entrypoints.http.request import RequestContext

Handler: TypeAlias = Callable[[RequestContext], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is a template such as `/v1/apps/{app}`. `policy` is its row in the policy table.

    `replies` are the success answers: a type for JSON, None for an empty body, text for another media type; `sends` are
    headers of theirs. `errors` are the codes of its refusals beside those that its path, body, query and policy imply.
    The handler's docstring describes it to users, in Markdown. One that `streams` writes its answer itself, to the
    connection; any other returns a Response.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    tag: str
    policy: UseCase
    body: type | None = None
    query: type | None = None
    headers: tuple[str, ...] = ()
    replies: dict[int, type | str | None] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    described: bool = True
    streams: bool = False

    @property
    def description(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def path_names(self) -> list[str]:
        """What stands in the braces of the path, in order."""
        return [segment[1:-1] for segment in self.path.split("/") if segment.startswith("{")]

    @property
    def personal(self) -> bool:
        """Whether it looks at a credential, even if it needs none for a public board."""
        return POLICY[self.policy].permission is not None

    @property
    def secured(self) -> bool:
        """Whether it always needs a credential."""
        return self.personal and not POLICY[self.policy].public_boards
