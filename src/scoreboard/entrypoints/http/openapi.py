"""The OpenAPI 3.1 document of a contract, from its endpoints and the types that decode and encode for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from scoreboard import __version__
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.response import JSON

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


class ErrorDescription(Protocol):
    """How a contract describes its errors. `types` are theirs, and `examples` are shared by all responses."""

    @property
    def types(self) -> Sequence[type]: ...
    @property
    def examples(self) -> Mapping[str, Any]: ...

    def responses(self, endpoint: Endpoint, schemas: Mapping[type, Any]) -> Mapping[HTTPStatus, dict[str, Any]]:
        """The error responses of an endpoint. `schemas` are references to `types`."""
        ...

    def headers(self, status: HTTPStatus) -> Sequence[str]:
        """The headers of an error response."""
        ...


@dataclass(frozen=True, slots=True)
class Description:
    """What the document says beside what follows from the endpoints. `parameters` are descriptions by name, of what
    stands in paths and queries; `sent` and `headers` describe the headers of answers and of requests; `security` are
    the security schemes, each of which authenticates a request."""

    title: str
    introduction: str
    tags: Mapping[str, str]
    security: Mapping[str, Mapping[str, str]]
    parameters: Mapping[str, str]
    headers: Mapping[str, Mapping[str, Any]]
    sent: Mapping[str, str]
    examples: Mapping[str, Sequence[Example]]
    errors: ErrorDescription


def document(contract: Contract, description: Description) -> bytes:
    """The document in JSON, of the endpoints that are `described`."""
    described = [endpoint for endpoint in contract.routes if endpoint.described]
    return msgspec.json.encode(_Document(contract.media_types, description).of(described))


class _Document:
    def __init__(self, media_types: Sequence[str], description: Description) -> None:
        self._media_types = media_types
        self._description = description
        self._refs: dict[type, Any] = {}

    def of(self, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
        description = self._description
        types = {kind for e in endpoints for kind in (e.body, *e.replies.values()) if isinstance(kind, type)}
        ordered = sorted({*types, *description.errors.types}, key=lambda kind: kind.__name__)
        schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
        self._refs = dict(zip(ordered, schemas, strict=True))
        paths: dict[str, dict[str, Any]] = {}
        for endpoint in endpoints:
            paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = self._described(endpoint)
        used = {endpoint.tag for endpoint in endpoints}
        return {
            "openapi": "3.1.0",
            "info": {
                "title": description.title,
                "version": __version__,
                "description": description.introduction,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "tags": [{"name": name, "description": text} for name, text in description.tags.items() if name in used],
            "paths": paths,
            "components": {
                "schemas": components,
                "examples": description.errors.examples,
                "securitySchemes": description.security,
            },
        }

    def _described(self, endpoint: Endpoint) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": endpoint.name,
            "summary": endpoint.summary,
            "description": endpoint.description,
            "tags": [endpoint.tag],
            "security": self._security(endpoint),
            "parameters": [*self._in_path(endpoint), *self._in_query(endpoint), *self._in_headers(endpoint)],
            "responses": {
                **{str(status): self._answer(endpoint, status) for status in endpoint.replies},
                **self._refusals(endpoint),
            },
        }
        if endpoint.body is not None:
            media: dict[str, Any] = {"schema": self._refs[endpoint.body]}
            if sent := {e.name: _shown(e.title, e.body) for e in self._examples(endpoint) if e.body is not None}:
                media["examples"] = sent
            described["requestBody"] = {"required": True, "content": dict.fromkeys(self._media_types, media)}
        return described

    def _security(self, endpoint: Endpoint) -> list[dict[str, list[str]]]:
        if not endpoint.personal:
            return []
        schemes: list[dict[str, list[str]]] = [{name: []} for name in self._description.security]
        return schemes if endpoint.secured else [{}, *schemes]

    def _examples(self, endpoint: Endpoint) -> Sequence[Example]:
        return self._description.examples.get(endpoint.name, ())

    # What is sent

    def _in_path(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        examples = [example.path for example in self._examples(endpoint)]
        return [
            self._parameter(name, "path", {"type": "string", "minLength": 1}, examples, required=True)
            for name in endpoint.path_names
        ]

    def _in_query(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        if endpoint.query is None:
            return []
        schema = msgspec.json.schema(endpoint.query, ref_template=REF)
        properties: dict[str, Any] = schema["$defs"][endpoint.query.__name__]["properties"]
        examples = [example.query for example in self._examples(endpoint)]
        return [self._parameter(name, "query", _plain(kind), examples) for name, kind in properties.items()]

    def _parameter(
        self, name: str, place: str, schema: Any, examples: Sequence[Mapping[str, str]], *, required: bool = False
    ) -> dict[str, Any]:
        parameter = {"name": name, "in": place, "required": required, "schema": schema}
        parameter["description"] = self._description.parameters[name]
        for given in examples:
            if name in given:
                return {**parameter, "example": given[name]}
        return parameter

    def _in_headers(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "header", "required": False, **self._description.headers[name]}
            for name in endpoint.headers
        ]

    # What is answered

    def _answer(self, endpoint: Endpoint, status: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        kind = endpoint.replies[status]
        if isinstance(kind, str):
            answer["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            examples = {e.name: _shown(e.title, e.answer) for e in self._examples(endpoint) if e.status == status}
            media = {"schema": self._refs[kind], **({"examples": examples} if examples else {})}
            answer["content"] = {JSON: media}
        return self._with_headers(answer, endpoint.sends)

    def _refusals(self, endpoint: Endpoint) -> dict[str, Any]:
        errors = self._description.errors
        responses = errors.responses(endpoint, self._refs).items()
        return {str(s.value): self._with_headers(response, errors.headers(s)) for s, response in responses}

    def _with_headers(self, answer: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        if not names:
            return answer
        headers = {name: {"description": self._description.sent[name], "schema": {"type": "string"}} for name in names}
        return {**answer, "headers": headers}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {key: value for key, value in kinds[0].items() if key != "default" or value not in {None, ""}}


def _shown(title: str, value: Any) -> dict[str, Any]:
    return {"summary": title, "value": value}
