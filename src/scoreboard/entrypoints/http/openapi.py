"""The OpenAPI 3.1 document, from the operations and the types that decode and encode for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from scoreboard import __version__
from scoreboard.domain.codes import CODES
from scoreboard.entrypoints.http import refusals
from scoreboard.entrypoints.http.problems import MEDIA_TYPE, Problem, status_of
from scoreboard.entrypoints.http.response import JSON
from scoreboard.entrypoints.http.router import Endpoint

REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange: what is sent, with `path` for the braces of the address, and what is answered."""

    title: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    answer: Any = None

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower())


@dataclass(frozen=True, slots=True)
class Words:
    """What the document says beside what follows from the operations. `parameters` are descriptions by name, of what
    stands in paths and queries; `sent` and `headers` describe the headers of answers and of requests."""

    introduction: str
    tags: Mapping[str, str]
    token: str
    parameters: Mapping[str, str]
    headers: Mapping[str, Mapping[str, Any]]
    sent: Mapping[str, str]
    examples: Mapping[str, Sequence[Example]]


def document(operations: Sequence[Endpoint], words: Words) -> bytes:
    return msgspec.json.encode(_Document(words).of([operation for operation in operations if operation.described]))


class _Document:
    def __init__(self, words: Words) -> None:
        self._words = words
        self._refs: dict[type, Any] = {}

    def of(self, operations: Sequence[Endpoint]) -> dict[str, Any]:
        types = {kind for o in operations for kind in (o.body, *o.replies.values()) if isinstance(kind, type)}
        ordered = sorted({*types, Problem}, key=lambda kind: kind.__name__)
        schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
        self._refs = dict(zip(ordered, schemas, strict=True))
        paths: dict[str, dict[str, Any]] = {}
        for operation in operations:
            paths.setdefault(operation.path, {})[operation.method.lower()] = self._described(operation)
        used = {operation.tag for operation in operations}
        token = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": self._words.token}
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Scoreboard",
                "version": __version__,
                "description": self._words.introduction,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "tags": [{"name": name, "description": text} for name, text in self._words.tags.items() if name in used],
            "paths": paths,
            "components": {
                "schemas": components,
                "examples": {code: _refused(code) for code in CODES},
                "securitySchemes": {"token": token},
            },
        }

    def _described(self, operation: Endpoint) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "description": operation.description,
            "tags": [operation.tag],
            "security": _security(operation),
            "parameters": [*self._in_path(operation), *self._in_query(operation), *self._in_headers(operation)],
            "responses": {
                **{str(status): self._answer(operation, status) for status in operation.replies},
                **{str(status.value): self._refusal(status, of) for status, of in refusals.codes(operation).items()},
            },
        }
        if operation.body is not None:
            media: dict[str, Any] = {"schema": self._refs[operation.body]}
            if sent := {e.name: _shown(e.title, e.body) for e in self._examples(operation) if e.body is not None}:
                media["examples"] = sent
            described["requestBody"] = {"required": True, "content": {JSON: media}}
        return described

    def _examples(self, operation: Endpoint) -> Sequence[Example]:
        return self._words.examples.get(operation.name, ())

    # What is sent

    def _in_path(self, operation: Endpoint) -> list[dict[str, Any]]:
        examples = [example.path for example in self._examples(operation)]
        return [
            self._parameter(name, "path", {"type": "string", "minLength": 1}, examples, required=True)
            for name in operation.path_names
        ]

    def _in_query(self, operation: Endpoint) -> list[dict[str, Any]]:
        if operation.query is None:
            return []
        schema = msgspec.json.schema(operation.query, ref_template=REF)
        properties: dict[str, Any] = schema["$defs"][operation.query.__name__]["properties"]
        examples = [example.query for example in self._examples(operation)]
        return [self._parameter(name, "query", _plain(kind), examples) for name, kind in properties.items()]

    def _parameter(
        self, name: str, place: str, schema: Any, examples: Sequence[Mapping[str, str]], *, required: bool = False
    ) -> dict[str, Any]:
        parameter = {"name": name, "in": place, "required": required, "schema": schema}
        parameter["description"] = self._words.parameters[name]
        for given in examples:
            if name in given:
                return {**parameter, "example": given[name]}
        return parameter

    def _in_headers(self, operation: Endpoint) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "header", "required": False, **self._words.headers[name]} for name in operation.headers
        ]

    # What is answered

    def _answer(self, operation: Endpoint, status: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        kind = operation.replies[status]
        if isinstance(kind, str):
            answer["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            examples = {e.name: _shown(e.title, e.answer) for e in self._examples(operation) if e.status == status}
            media = {"schema": self._refs[kind], **({"examples": examples} if examples else {})}
            answer["content"] = {JSON: media}
        return self._with_headers(answer, operation.sends)

    def _refusal(self, status: HTTPStatus, codes: Sequence[str]) -> dict[str, Any]:
        schema = {"allOf": [self._refs[Problem], {"properties": {"code": {"enum": codes}}}]}
        examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
        refusal = {
            "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in codes)}",
            "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
        }
        return self._with_headers(refusal, _SENT_WITH.get(status, ()))

    def _with_headers(self, answer: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        if not names:
            return answer
        headers = {name: {"description": self._words.sent[name], "schema": {"type": "string"}} for name in names}
        return {**answer, "headers": headers}


_SENT_WITH = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def _security(operation: Endpoint) -> list[dict[str, list[str]]]:
    if not operation.personal:
        return []
    return [{"token": []}] if operation.secured else [{}, {"token": []}]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {key: value for key, value in kinds[0].items() if key != "default" or value not in {None, ""}}


def _shown(title: str, value: Any) -> dict[str, Any]:
    return {"summary": title, "value": value}


def _refused(code: str) -> dict[str, Any]:
    status, explained = status_of(code), CODES[code]
    detail = explained.cause.rstrip(".")
    value = Problem(status.phrase, status.value, detail[0].lower() + detail[1:], code)
    return {"summary": explained.cause, "description": explained.remedy, "value": msgspec.to_builtins(value)}
