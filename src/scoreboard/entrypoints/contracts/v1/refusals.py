"""The codes that an endpoint of `/v1` can refuse with, and how the API description shows them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from scoreboard.entrypoints.contracts.v1.errors import CODES, MEDIA_TYPE, Problem, status_of
from scoreboard.entrypoints.http.endpoint import Endpoint

ALWAYS = ("invalid_request", "internal_error", "too_many_connections", "unsupported_content_encoding")
WITH_PATH = ("invalid_path",)
WITH_QUERY = ("invalid_query",)
WITH_BODY = ("invalid_json", "invalid_body", "body_timeout", "body_too_big", "unsupported_media_type")
WITH_TOKEN = ("token_missing", "token_invalid", "token_expired", "scope_missing", "storage_failed")
WITH_WRITING = ("storage_full",)


class ProblemDescription:
    """Problem details, with the codes of each endpoint by status."""

    types = (Problem,)

    def __init__(self) -> None:
        self.examples: Mapping[str, Any] = {code: _example(code) for code in CODES}

    def responses(self, endpoint: Endpoint, schemas: Mapping[type, Any]) -> dict[HTTPStatus, dict[str, Any]]:
        return {status: _response(status, found, schemas[Problem]) for status, found in codes(endpoint).items()}

    def headers(self, status: HTTPStatus) -> Sequence[str]:
        if status is HTTPStatus.UNAUTHORIZED:
            return ("WWW-Authenticate",)
        later = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        return ("Retry-After",) if status in later else ()


def _example(code: str) -> dict[str, Any]:
    status, explained = status_of(code), CODES[code]
    detail = explained.cause.rstrip(".")
    value = Problem(status.phrase, status.value, detail[0].lower() + detail[1:], code)
    return {"summary": explained.cause, "description": explained.remedy, "value": msgspec.to_builtins(value)}


def _response(status: HTTPStatus, found: Sequence[str], problem: Any) -> dict[str, Any]:
    schema = {"allOf": [problem, {"properties": {"code": {"enum": found}}}]}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in found}
    return {
        "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in found)}",
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def codes(endpoint: Endpoint) -> dict[HTTPStatus, list[str]]:
    """The codes by the status they come with, both in order."""
    by_status: dict[HTTPStatus, list[str]] = defaultdict(list)
    for code in sorted({*_implied(endpoint), *endpoint.errors}):
        by_status[status_of(code)].append(code)
    return dict(sorted(by_status.items()))


def _implied(endpoint: Endpoint) -> list[str]:
    names = endpoint.path_names
    implied = [*ALWAYS, *(f"{name}_not_found" for name in names)]
    for holds, those in (
        (names, WITH_PATH),
        (endpoint.query, WITH_QUERY),
        (endpoint.body, WITH_BODY),
        (endpoint.personal, WITH_TOKEN),
        (endpoint.personal and "app" in names, ("wrong_app",)),
        (endpoint.secured and endpoint.method != "GET", WITH_WRITING),
    ):
        implied += those if holds else ()
    return implied
