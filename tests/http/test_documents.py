"""The OpenAPI document: it is complete and correct, and its examples work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from harness.client import Answer, Client
from harness.service import Running, running
from scoreboard.domain import event_id
from scoreboard.entrypoints.contracts.v1.errors import CODES, status_of
from scoreboard.entrypoints.contracts.v1.examples import EVENT, EXAMPLES, EXAMPLES_WITH_QUEUE
from scoreboard.entrypoints.http.openapi import Example

COMMON_HEADERS = {"Content-Type", "Content-Length", "Date", "Cache-Control"}
VOLATILE = {"event", "outcome", "accepted_at", "reached_at", "epoch", "offset", "at", "next_after"}


@pytest.fixture
async def document(service: Running) -> dict[str, Any]:
    described: dict[str, Any] = (await service.anybody.get("/openapi.json")).ok()
    return described


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_everything_is_described(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"]}
    assert len({operation["operationId"] for _, _, operation in operations(document)}) > 30
    for _, _, operation in operations(document):
        name = operation["operationId"]
        assert len(operation["description"]) > 20, name
        assert set(operation["tags"]) <= described, name
        assert all(parameter["description"] for parameter in operation["parameters"]), name
        if operation["security"]:
            assert "**Access**: " in operation["description"], name
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"], name
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                assert "json" not in media or content["examples"], (name, status)


def test_each_refusal_lists_its_codes(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/problem+json")
            assert (content is None) == (int(status) < 400)
            if content is None:
                continue
            codes = content["schema"]["allOf"][1]["properties"]["code"]["enum"]
            assert codes
            assert {status_of(CODES[code]).value for code in codes} == {int(status)}
            assert content["examples"] == {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
            for code in codes:
                example = document["components"]["examples"][code]
                assert (example["summary"], example["description"]) == (CODES[code].cause, CODES[code].remedy)
                validator(document, content["schema"]).validate(example["value"])


async def test_every_example_gets_the_documented_response(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as service:
        document = (await service.anybody.get("/openapi.json")).ok()
        described = {o["operationId"]: (method, path, o) for method, path, o in operations(document)}
        assert EXAMPLES.keys() <= described.keys()
        with_json = {name for name, (_, _, o) in described.items() if "text/plain" not in str(o["responses"])}
        assert with_json == EXAMPLES.keys() | EXAMPLES_WITH_QUEUE.keys()
        event = ""
        for name, examples in EXAMPLES.items():
            method, path, operation = described[name]
            for example in examples:
                answer = await send_example(service.operator, method, path.replace("{event}", event), example)
                check_response(document, operation, example, answer)
                if answer.raw and not event:
                    event = answer.body.get("event", "")


async def send_example(client: Client, method: str, path: str, example: Example) -> Answer:
    query = "&".join(f"{name}={value}" for name, value in example.query.items())
    address = path.format(**example.path) + (f"?{query}" if query else "")
    return await client.call(method, address, example.body, headers=example.headers)


def check_response(document: dict[str, Any], operation: dict[str, Any], example: Example, answer: Answer) -> None:
    """Check a response against its example and schema, except for volatile values."""
    assert answer.status == example.status, (example.title, answer.raw)
    declared = {*COMMON_HEADERS, *operation["responses"][str(answer.status)].get("headers", {})}
    assert {name.lower() for name in answer.headers} <= {name.lower() for name in declared}, example.title
    if not answer.raw:
        assert example.response is None
        return
    media = operation["responses"][str(answer.status)]["content"]["application/json"]
    for body in (answer.body, example.response):
        validator(document, media["schema"]).validate(body)
    assert mask_volatile(answer.body) == mask_volatile(example.response), example.title
    assert media["examples"][example.name]["value"] == example.response


def mask_volatile(value: Any) -> Any:
    match value:
        case dict():
            return {name: name if name in VOLATILE else mask_volatile(inner) for name, inner in value.items()}
        case list():
            return [mask_volatile(inner) for inner in value]
        case _:
            return value


def test_the_event_id_of_the_examples_is_valid() -> None:
    assert event_id.to_text(event_id.from_text(EVENT)) == EVENT
