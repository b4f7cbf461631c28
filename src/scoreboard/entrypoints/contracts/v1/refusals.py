"""Refusals of `/v1`: the error codes of each endpoint, for the API description."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from scoreboard.domain import codes
from scoreboard.entrypoints.contracts.v1.errors import CODES, MEDIA_TYPE, Problem, status_of
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import (
    BODY_TIMEOUT,
    BODY_TOO_BIG,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    UNSUPPORTED_CONTENT_ENCODING,
    UNSUPPORTED_MEDIA_TYPE,
    ErrorCode,
)

ALWAYS = (INVALID_REQUEST, INTERNAL_ERROR, UNSUPPORTED_CONTENT_ENCODING, codes.TOO_MANY_CONNECTIONS)
WITH_PATH = (codes.INVALID_PATH,)
WITH_QUERY = (codes.INVALID_QUERY,)
WITH_BODY = (BODY_TIMEOUT, BODY_TOO_BIG, UNSUPPORTED_MEDIA_TYPE, codes.INVALID_JSON, codes.INVALID_BODY)
WITH_TOKEN = (codes.TOKEN_MISSING, codes.TOKEN_INVALID, codes.TOKEN_EXPIRED, codes.SCOPE_MISSING, codes.STORAGE_FAILED)
WITH_WRITES = (codes.STORAGE_FULL,)


class ProblemDescription:
    """Problem details, with the codes of each endpoint by status."""

    types = (Problem,)

    def __init__(self) -> None:
        self.examples: Mapping[str, Any] = {name: _example(code) for name, code in CODES.items()}

    def responses(self, endpoint: Endpoint, schemas: Mapping[type, Any]) -> dict[HTTPStatus, dict[str, Any]]:
        return {
            status: _response(status, names, schemas[Problem]) for status, names in codes_by_status(endpoint).items()
        }

    def headers(self, status: HTTPStatus) -> Sequence[str]:
        if status is HTTPStatus.UNAUTHORIZED:
            return ("WWW-Authenticate",)
        temporary = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        return ("Retry-After",) if status in temporary else ()


def _example(code: ErrorCode) -> dict[str, Any]:
    status, detail = status_of(code), code.cause.rstrip(".")
    value = Problem(status.phrase, status.value, detail[0].lower() + detail[1:], code.name)
    return {"summary": code.cause, "description": code.remedy, "value": msgspec.to_builtins(value)}


def _response(status: HTTPStatus, names: Sequence[str], problem: Any) -> dict[str, Any]:
    schema = {"allOf": [problem, {"properties": {"code": {"enum": names}}}]}
    examples = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
    return {
        "description": f"{status.phrase}: {', '.join(f'`{name}`' for name in names)}",
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def codes_by_status(endpoint: Endpoint) -> dict[HTTPStatus, list[str]]:
    """Return the names of an endpoint's codes by status, both in order."""
    names = endpoint.path_names
    found: set[ErrorCode] = {*ALWAYS, *endpoint.errors, *(CODES[f"{name}_not_found"] for name in names)}
    for applies, implied in (
        (names, WITH_PATH),
        (endpoint.query, WITH_QUERY),
        (endpoint.body, WITH_BODY),
        (endpoint.accepts_token, WITH_TOKEN),
        (endpoint.accepts_token and "app" in names, (codes.WRONG_APP,)),
        (endpoint.requires_token and endpoint.method != "GET", WITH_WRITES),
    ):
        if applies:
            found.update(implied)
    by_status: dict[HTTPStatus, list[str]] = defaultdict(list)
    for code in sorted(found, key=lambda code: code.name):
        by_status[status_of(code)].append(code.name)
    return dict(sorted(by_status.items()))
