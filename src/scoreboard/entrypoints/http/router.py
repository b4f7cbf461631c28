"""Router: the endpoint and contract of a method and path."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from scoreboard.domain import codes
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND

ANY = object()  # the key of a brace in the tree; no segment of a path equals it


class Route(NamedTuple):
    """An endpoint of a contract; the flags are the endpoint's, computed once."""

    contract: Contract
    endpoint: Endpoint
    accepts_token: bool
    requires_token: bool


class Router:
    """A tree of path segments, so that a match costs the same with many routes."""

    def __init__(self, default: Contract) -> None:
        """Create a router; `default` renders the errors of paths without a contract."""
        self.routes: list[Route] = []
        self._root: dict[object, Any] = {}
        self._default = default
        self._owners: dict[str, Contract] = {}
        self._depth = 0

    def add(self, contract: Contract) -> None:
        """Add the routes of a contract. Raises ValueError if one exists already."""
        for endpoint in contract.routes:
            self._add(Route(contract, endpoint, endpoint.accepts_token, endpoint.requires_token))
            self._claim(endpoint.path, contract)

    def _add(self, route: Route) -> None:
        node, endpoint = self._root, route.endpoint
        for segment in endpoint.path.split("/")[1:]:
            node = node.setdefault(ANY if segment.startswith("{") else segment, {})
        methods = node.setdefault(None, {})
        if endpoint.method in methods:
            raise ValueError(f"{endpoint.method} {endpoint.path} is served twice")
        methods[endpoint.method] = route
        self.routes.append(route)

    def _claim(self, path: str, contract: Contract) -> None:
        """Assign the prefixes of a path, up to the first brace, to its contract.

        Prefixes that contracts share belong to the default.
        """
        prefix = path.partition("/{")[0]
        self._depth = max(self._depth, prefix.count("/"))
        while prefix:
            if self._owners.setdefault(prefix, contract) is not contract:
                self._owners[prefix] = self._default
            prefix = prefix.rpartition("/")[0]

    def owner(self, path: str) -> Contract:
        """Return the contract of the longest prefix, which renders errors at the path."""
        prefix = "/".join(path.split("/", self._depth + 1)[: self._depth + 1])
        while prefix:
            if prefix in self._owners:
                return self._owners[prefix]
            prefix = prefix.rpartition("/")[0]
        return self._default

    def match(self, method: str, path: str) -> tuple[Route, list[str]]:
        """Return the route of a percent-encoded path, and the values of its braces.

        A literal segment precedes a brace unless it leads nowhere, as for a player with the id `query`. Raises
        HttpError if there is no route.
        """
        segments = path.split("/")[1:]
        if method == "HEAD":
            method = "GET"
        node, values = self._root, []
        for segment in segments:  # the first branch is nearly always the right one
            child = node.get(segment)
            if child is None:
                child = node.get(ANY) if segment else None
                values.append(segment)
            if child is None:
                return self._search(segments, method)
            node = child
        route = node[None].get(method) if None in node else None
        if route is None:
            return self._search(segments, method)
        return route, [_unquote(value) if "%" in value else value for value in values]

    def _search(self, segments: list[str], method: str) -> tuple[Route, list[str]]:
        allowed: set[str] = set()
        for methods, values in _branches(self._root, segments, 0):
            route = methods.get(method)
            if route is not None:
                return route, [_unquote(value) if "%" in value else value for value in values]
            allowed |= methods.keys()
        if not allowed:
            raise ROUTE_NOT_FOUND.error(
                "no endpoint of this process has this address; compare it with the API reference"
            )
        listed = ", ".join(sorted({*allowed, *(("HEAD",) if "GET" in allowed else ()), "OPTIONS"}))
        raise METHOD_NOT_ALLOWED.error(f"this address accepts {listed}", f"Allow: {listed}\r\n".encode())


def _branches(node: dict[object, Any], segments: list[str], at: int) -> Iterator[tuple[dict[str, Route], list[str]]]:
    """Yield the methods and brace values of each matching branch, literals first."""
    if at == len(segments):
        if None in node:
            yield node[None], []
        return
    segment = segments[at]
    if segment in node:
        yield from _branches(node[segment], segments, at + 1)
    if segment and ANY in node:
        for methods, values in _branches(node[ANY], segments, at + 1):
            yield methods, [segment, *values]


def _unquote(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise codes.INVALID_PATH.error("the address is not UTF-8; percent-encode it as UTF-8") from error
