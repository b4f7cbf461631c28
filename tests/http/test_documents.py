"""The API's description is complete, true of the running service, and shown by examples that work."""

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

IN_EVERY_ANSWER = {"Content-Type", "Content-Length", "Date", "Cache-Control"}
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
            assert "- **Access**: " in operation["description"], name
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"], name
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                assert "json" not in media or content["examples"], (name, status)


def test_each_refusal_tells_its_codes(document: dict[str, Any]) -> None:
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
                shown = document["components"]["examples"][code]
                assert (shown["summary"], shown["description"]) == (CODES[code].cause, CODES[code].remedy)
                validator(document, content["schema"]).validate(shown["value"])


async def test_every_example_is_answered_as_documented(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as service:
        document = (await service.anybody.get("/openapi.json")).ok()
        described = {o["operationId"]: (method, path, o) for method, path, o in operations(document)}
        assert EXAMPLES.keys() <= described.keys()
        sent = {name for name, (_, _, o) in described.items() if "text/plain" not in str(o["responses"])}
        assert sent == EXAMPLES.keys() | EXAMPLES_WITH_QUEUE.keys()
        event = ""
        for name, examples in EXAMPLES.items():
            method, path, operation = described[name]
            for example in examples:
                answer = await exchanged(service.operator, method, path.replace("{event}", event), example)
                judge(document, operation, example, answer)
                if answer.raw and not event:
                    event = answer.body.get("event", "")


async def exchanged(client: Client, method: str, path: str, example: Example) -> Answer:
    query = "&".join(f"{name}={value}" for name, value in example.query.items())
    address = path.format(**example.path) + (f"?{query}" if query else "")
    return await client.call(method, address, example.body, headers=example.headers)


def judge(document: dict[str, Any], operation: dict[str, Any], example: Example, answer: Answer) -> None:
    """The answer is the documented one but for what differs in each run, and both are as the schema says."""
    assert answer.status == example.status, (example.title, answer.raw)
    declared = {*IN_EVERY_ANSWER, *operation["responses"][str(answer.status)].get("headers", {})}
    assert {name.lower() for name in answer.headers} <= {name.lower() for name in declared}, example.title
    if not answer.raw:
        assert example.response is None
        return
    media = operation["responses"][str(answer.status)]["content"]["application/json"]
    for body in (answer.body, example.response):
        validator(document, media["schema"]).validate(body)
    assert steady(answer.body) == steady(example.response), example.title
    assert media["examples"][example.name]["value"] == example.response


def steady(value: Any) -> Any:
    match value:
        case dict():
            return {name: name if name in VOLATILE else steady(inner) for name, inner in value.items()}
        case list():
            return [steady(inner) for inner in value]
        case _:
            return value


def test_the_id_in_the_examples_looks_like_one() -> None:
    assert event_id.to_text(event_id.from_text(EVENT)) == EVENT
