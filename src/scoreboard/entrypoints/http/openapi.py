"""The OpenAPI 3.1 document, from the operations and the types that decode and encode for them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from scoreboard import __version__
from scoreboard.entrypoints.http.operations import Operation
from scoreboard.entrypoints.http.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{name}"

_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "description": "A key of your own for this update: a retry under the same key is never counted twice.",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    },
    "Prefer": {
        "description": "`respond-async`: answer as soon as the update is durable; `wait=N`: wait for its outcome.",
        "schema": {"type": "string", "pattern": "^(respond-async|wait=[0-9]{1,4})$"},
    },
    "If-None-Match": {"description": "The ETag you have; 304 when it is still good.", "schema": {"type": "string"}},
    "Last-Event-ID": {"description": "The id of the last event you had.", "schema": {"type": "string"}},
}


def document(operations: Sequence[Operation]) -> bytes:
    shown = [operation for operation in operations if operation.described]
    types = {kind for o in shown for kind in (o.body, *o.replies.values()) if isinstance(kind, type)} | {Problem}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
    refs = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, refs)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Scoreboard",
                "version": __version__,
                "description": "Live leaderboards. Errors are RFC 9457 problem details with a stable `code`.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )


def _described(operation: Operation, refs: dict[type, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{"token": []}] if operation.secured else [{}, {"token": []}],
        "parameters": [*_in_path(operation), *_in_query(operation), *_in_headers(operation)],
        "responses": {str(status): _reply(status, kind, refs) for status, kind in operation.replies.items()},
    }
    for status in sorted({*_errors(operation)}):
        described["responses"][str(status)] = _reply(status, Problem, refs, MEDIA_TYPE)
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[operation.body]}}}
    return described


def _errors(operation: Operation) -> set[int]:
    errors = {400, 500, 503, *operation.errors}
    if "{" in operation.path:
        errors.add(404)
    if operation.tag != "service":
        errors |= {401, 403}
    if operation.body is not None:
        errors |= {408, 409, 413, 415, 429}
    return errors


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    names = [segment[1:-1] for segment in operation.path.split("/") if segment.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = msgspec.json.schema(operation.query, ref_template=REF)
    properties: dict[str, Any] = schema["$defs"][operation.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _plain(kind)} for name, kind in properties.items()
    ]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {key: value for key, value in kinds[0].items() if key != "default"}


def _in_headers(operation: Operation) -> list[dict[str, Any]]:
    return [{"name": name, "in": "header", "required": False, **_HEADERS[name]} for name in operation.headers]


def _reply(
    status: int, kind: type | str | None, refs: dict[type, Any], media_type: str = "application/json"
) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        described["content"] = {kind: {"schema": {"type": "string"}}}
    elif kind is not None:
        described["content"] = {media_type: {"schema": refs[kind]}}
    return described
