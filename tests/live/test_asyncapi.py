"""Tests that the AsyncAPI document is valid and matches the live endpoints.

All tests of this folder check each received message against it, in `watching.check_message`.
"""

import gzip
import json
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import msgspec

from harness.service import Running
from scoreboard.application.live.close_codes import CLOSES
from scoreboard.entrypoints.contracts.v1.live import messages
from tests.live.watching import DOCUMENT, check_message, page

SCHEMA = Path(__file__).parents[1] / "docs" / "third_party" / "asyncapi-3.0.0.json.gz"
REQUESTS = {kind.__struct_config__.tag: kind for kind in get_args(messages.Request)}


async def test_the_document_is_served_and_is_asyncapi_3(service: Running) -> None:
    served = (await service.anybody.get("/asyncapi.json")).ok()
    assert served == DOCUMENT
    jsonschema_rs.validator_for(json.loads(gzip.decompress(SCHEMA.read_bytes()))).validate(served)


def references(value: Any) -> list[str]:
    match value:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for inner in value.values() for found in references(inner)]
        case list():
            return [found for inner in value for found in references(inner)]
        case _:
            return []


def test_every_reference_resolves() -> None:
    assert len(references(DOCUMENT)) > 40
    for reference in references(DOCUMENT):
        found = DOCUMENT
        for step in reference.split("/")[1:]:
            found = found[step]


def test_every_message_of_the_protocol_is_described() -> None:
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    tags = {kind.__struct_config__.tag for kind in kinds if kind.__struct_config__.tag}
    described = DOCUMENT["components"]["messages"]
    assert described.keys() == {*tags, "top"}
    assert all(message["summary"] for message in described.values())
    received = {name for name, operation in DOCUMENT["operations"].items() if operation["action"] == "receive"}
    assert received == REQUESTS.keys()


def test_examples_are_valid_messages() -> None:
    for name, message in DOCUMENT["components"]["messages"].items():
        (example,) = message["examples"]
        check_message(example["payload"])
        if name in REQUESTS:
            assert isinstance(messages.decode(json.dumps(example["payload"])), REQUESTS[name])


async def test_the_server_sends_each_described_message(service: Running) -> None:
    await service.board()
    async with page(service) as watching:
        await watching.send(type="authenticate", token=service.token("server", "game"))
        received = [await watching.next("authenticated"), *await watching.watch()]
        await watching.send(type="subscribe", app="game", board="none")
        received.append(await watching.next("error"))
        await watching.send(type="unsubscribe", app="game", board="main")
        received.append(await watching.next("unsubscribed"))
        await watching.send(type="ping")
        received.append(await watching.next("pong"))
    described = DOCUMENT["components"]["messages"].keys()
    assert {message["type"] for message in received} == described - REQUESTS.keys()


def test_every_close_code_is_documented() -> None:
    assert [close["code"] for close in DOCUMENT["x-close-codes"]] == [close.code for close in CLOSES]
