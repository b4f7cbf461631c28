"""Router: from a method and a path to an endpoint and its contract."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from scoreboard.domain import codes
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND

ANY = object()  # the key of a brace in the tree: no segment of a path equals it


class Route(NamedTuple):
    """An endpoint of a contract. `personal` and `secured` are the endpoint's, worked out once."""

    contract: Contract
    endpoint: Endpoint
    personal: bool
    secured: bool


class Router:
    """A tree of path segments: the cost of a match does not grow with the number of routes."""

    def __init__(self, default: Contract) -> None:
        """`default` renders the errors of paths that belong to no contract."""
        self._root: dict[object, Any] = {}
        self._default = default
        self._owners: dict[str, Contract] = {}
        self._depth = 0

    def add(self, contract: Contract) -> None:
        """Raises ValueError for an endpoint that is there already."""
        for endpoint in contract.routes:
            self._add(Route(contract, endpoint, endpoint.personal, endpoint.secured))
            self._own(endpoint.path, contract)

    def _add(self, route: Route) -> None:
        node, endpoint = self._root, route.endpoint
        for segment in endpoint.path.split("/")[1:]:
            node = node.setdefault(ANY if segment.startswith("{") else segment, {})
        methods = node.setdefault(None, {})
        if endpoint.method in methods:
            raise ValueError(f"{endpoint.method} {endpoint.path} is served twice")
        methods[endpoint.method] = route

    def _own(self, path: str, contract: Contract) -> None:
        """The parts of a path before its first brace belong to its contract, or to the default if others share them."""
        part = path.partition("/{")[0]
        self._depth = max(self._depth, part.count("/"))
        while part:
            if self._owners.setdefault(part, contract) is not contract:
                self._owners[part] = self._default
            part = part.rpartition("/")[0]

    def owner(self, path: str) -> Contract:
        """The contract that renders an error at this path: that of the endpoints nearest to it, or the default."""
        part = "/".join(path.split("/", self._depth + 1)[: self._depth + 1])
        while part:
            if part in self._owners:
                return self._owners[part]
            part = part.rpartition("/")[0]
        return self._default

    def match(self, method: str, path: str) -> tuple[Route, list[str]]:
        """The route for a raw (still percent-encoded) path, and the values of its braces. Raises HttpError.

        A literal segment goes before a brace, unless that way leads nowhere: a player may be called like a word.
        """
        segments, asked = path.split("/")[1:], "GET" if method == "HEAD" else method
        node, values = self._root, []
        for segment in segments:  # the first way is nearly always the right one
            child = node.get(segment)
            if child is None:
                child = node.get(ANY) if segment else None
                values.append(segment)
            if child is None:
                return self._other_way(segments, asked)
            node = child
        route = node[None].get(asked) if None in node else None
        if route is None:
            return self._other_way(segments, asked)
        return route, [_unquoted(value) if "%" in value else value for value in values]

    def _other_way(self, segments: list[str], asked: str) -> tuple[Route, list[str]]:
        allowed: set[str] = set()
        for methods, values in _ways(self._root, segments, 0):
            route = methods.get(asked)
            if route is not None:
                return route, [_unquoted(value) if "%" in value else value for value in values]
            allowed |= methods.keys()
        if not allowed:
            raise ROUTE_NOT_FOUND.error("there is nothing at this address")
        shown = ", ".join(sorted({*allowed, *(("HEAD",) if "GET" in allowed else ()), "OPTIONS"}))
        raise METHOD_NOT_ALLOWED.error(
            f"this address takes {shown}",
            f"Allow: {shown}\r\n".encode(),
        )


def _ways(node: dict[object, Any], segments: list[str], at: int) -> Iterator[tuple[dict[str, Route], list[str]]]:
    """Every way through the tree, the literal ones first: the methods at its end, and the values on it."""
    if at == len(segments):
        if None in node:
            yield node[None], []
        return
    segment = segments[at]
    if segment in node:
        yield from _ways(node[segment], segments, at + 1)
    if segment and ANY in node:
        for methods, values in _ways(node[ANY], segments, at + 1):
            yield methods, [segment, *values]


def _unquoted(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise codes.INVALID_PATH.error("the address is not UTF-8") from error
