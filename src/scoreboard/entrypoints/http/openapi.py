"""OpenAPI 3.1: the document of a contract, from its endpoints and their types."""

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

SCHEMA_REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Example:
    """One request and its response; `path` has the values of the address's braces."""

    title: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200
    response: Any = None

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower())


class ErrorDescription(Protocol):
    """The errors of a contract: their body `types`, and examples for all responses."""

    @property
    def types(self) -> Sequence[type]: ...
    @property
    def examples(self) -> Mapping[str, Any]: ...

    def responses(self, endpoint: Endpoint, schemas: Mapping[type, Any]) -> Mapping[HTTPStatus, dict[str, Any]]:
        """Return the error responses of an endpoint; `schemas` are references to `types`."""
        ...

    def headers(self, status: HTTPStatus) -> Sequence[str]:
        """Return the headers of an error response."""
        ...


@dataclass(frozen=True, slots=True)
class Description:
    """The parts of the document that do not follow from the endpoints.

    `parameters` describes path and query parameters by name. Each scheme of `security` authenticates a request.
    """

    title: str
    introduction: str
    tags: Mapping[str, str]
    security: Mapping[str, Mapping[str, str]]
    parameters: Mapping[str, str]
    request_headers: Mapping[str, Mapping[str, Any]]
    response_headers: Mapping[str, str]
    examples: Mapping[str, Sequence[Example]]
    errors: ErrorDescription


def info(title: str, introduction: str) -> dict[str, Any]:
    """Return the `info` object, which OpenAPI and AsyncAPI share."""
    return {
        "title": title,
        "version": __version__,
        "description": introduction,
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def document(contract: Contract, description: Description) -> bytes:
    """Return the document of a contract's `described` endpoints, in JSON."""
    described = [endpoint for endpoint in contract.routes if endpoint.described]
    return msgspec.json.encode(_Document(contract.media_types, description, described).content())


class _Document:
    def __init__(self, media_types: Sequence[str], description: Description, endpoints: Sequence[Endpoint]) -> None:
        self._media_types = media_types
        self._description = description
        self._endpoints = endpoints
        bodies = {kind for e in endpoints for kind in (e.body, *e.responses.values()) if isinstance(kind, type)}
        types = sorted({*bodies, *description.errors.types}, key=lambda kind: kind.__name__)
        schemas, self._components = msgspec.json.schema_components(types, ref_template=SCHEMA_REF)
        self._schemas = dict(zip(types, schemas, strict=True))

    def content(self) -> dict[str, Any]:
        description = self._description
        paths: dict[str, dict[str, Any]] = {}
        for endpoint in self._endpoints:
            paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = self._operation(endpoint)
        used = {endpoint.tag for endpoint in self._endpoints}
        return {
            "openapi": "3.1.0",
            "info": info(description.title, description.introduction),
            "tags": [{"name": name, "description": text} for name, text in description.tags.items() if name in used],
            "paths": paths,
            "components": {
                "schemas": self._components,
                "examples": description.errors.examples,
                "securitySchemes": description.security,
            },
        }

    def _operation(self, endpoint: Endpoint) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": endpoint.name,
            "summary": endpoint.summary,
            "description": endpoint.description,
            "tags": [endpoint.tag],
            "security": self._security(endpoint),
            "parameters": [
                *self._path_parameters(endpoint),
                *self._query_parameters(endpoint),
                *self._header_parameters(endpoint),
            ],
            "responses": {
                **{str(status): self._success(endpoint, status) for status in endpoint.responses},
                **self._errors(endpoint),
            },
        }
        if endpoint.body is not None:
            media: dict[str, Any] = {"schema": self._schemas[endpoint.body]}
            examples = {e.name: _example(e.title, e.body) for e in self._examples(endpoint) if e.body is not None}
            if examples:
                media["examples"] = examples
            operation["requestBody"] = {"required": True, "content": dict.fromkeys(self._media_types, media)}
        return operation

    def _security(self, endpoint: Endpoint) -> list[dict[str, list[str]]]:
        if not endpoint.accepts_token:
            return []
        schemes: list[dict[str, list[str]]] = [{name: []} for name in self._description.security]
        return schemes if endpoint.requires_token else [{}, *schemes]

    def _examples(self, endpoint: Endpoint) -> Sequence[Example]:
        return self._description.examples.get(endpoint.name, ())

    def _path_parameters(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        examples = [example.path for example in self._examples(endpoint)]
        return [
            self._parameter(name, "path", {"type": "string", "minLength": 1}, examples, required=True)
            for name in endpoint.path_names
        ]

    def _query_parameters(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        if endpoint.query is None:
            return []
        schema = msgspec.json.schema(endpoint.query, ref_template=SCHEMA_REF)
        properties: dict[str, Any] = schema["$defs"][endpoint.query.__name__]["properties"]
        examples = [example.query for example in self._examples(endpoint)]
        return [self._parameter(name, "query", _without_null(kind), examples) for name, kind in properties.items()]

    def _parameter(
        self, name: str, place: str, schema: Any, examples: Sequence[Mapping[str, str]], *, required: bool = False
    ) -> dict[str, Any]:
        parameter = {"name": name, "in": place, "required": required, "schema": schema}
        parameter["description"] = self._description.parameters[name]
        for example in examples:
            if name in example:
                return {**parameter, "example": example[name]}
        return parameter

    def _header_parameters(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "header", "required": False, **self._description.request_headers[name]}
            for name in endpoint.request_headers
        ]

    def _success(self, endpoint: Endpoint, status: int) -> dict[str, Any]:
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        kind = endpoint.responses[status]
        if isinstance(kind, str):
            response["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            examples = {e.name: _example(e.title, e.response) for e in self._examples(endpoint) if e.status == status}
            media = {"schema": self._schemas[kind], **({"examples": examples} if examples else {})}
            response["content"] = {JSON: media}
        return self._with_headers(response, endpoint.response_headers)

    def _errors(self, endpoint: Endpoint) -> dict[str, Any]:
        errors = self._description.errors
        responses = errors.responses(endpoint, self._schemas).items()
        return {str(s.value): self._with_headers(response, errors.headers(s)) for s, response in responses}

    def _with_headers(self, response: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        if not names:
            return response
        texts = self._description.response_headers
        return {
            **response,
            "headers": {name: {"description": texts[name], "schema": {"type": "string"}} for name in names},
        }


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a query parameter, which is never null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {key: value for key, value in kinds[0].items() if key != "default" or value not in {None, ""}}


def _example(title: str, value: Any) -> dict[str, Any]:
    return {"summary": title, "value": value}
