"""Which codes an operation can be refused with: its own, and those that its declaration implies."""

from collections import defaultdict
from http import HTTPStatus

from scoreboard.entrypoints.http.problems import status_of
from scoreboard.entrypoints.http.router import Endpoint

ALWAYS = ("invalid_request", "internal_error", "too_many_connections", "unsupported_content_encoding")
WITH_PATH = ("invalid_path",)
WITH_QUERY = ("invalid_query",)
WITH_BODY = ("invalid_json", "invalid_body", "body_timeout", "body_too_big", "unsupported_media_type")
WITH_TOKEN = ("token_missing", "token_invalid", "token_expired", "scope_missing", "storage_failed")
WITH_WRITING = ("storage_full",)


def codes(operation: Endpoint) -> dict[HTTPStatus, list[str]]:
    """The codes by the status they come with, both in order."""
    by_status: dict[HTTPStatus, list[str]] = defaultdict(list)
    for code in sorted({*_implied(operation), *operation.errors}):
        by_status[status_of(code)].append(code)
    return dict(sorted(by_status.items()))


def _implied(operation: Endpoint) -> list[str]:
    names = operation.path_names
    implied = [*ALWAYS, *(f"{name}_not_found" for name in names)]
    for holds, those in (
        (names, WITH_PATH),
        (operation.query, WITH_QUERY),
        (operation.body, WITH_BODY),
        (operation.personal, WITH_TOKEN),
        (operation.personal and "app" in names, ("wrong_app",)),
        (operation.secured and operation.method != "GET", WITH_WRITING),
    ):
        implied += those if holds else ()
    return implied
