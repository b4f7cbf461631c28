"""Responses match the OpenAPI document, by requests that Schemathesis generates."""

from pathlib import Path
from typing import Any

import aiohttp
import hypothesis
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as contract

from harness.client import Client
from harness.process import process

pytestmark = pytest.mark.slow

EXAMPLES = 40


async def test_every_response_is_declared_and_none_is_a_server_error(tmp_path: Path) -> None:
    with process(tmp_path / "data", SCOREBOARD_PLAYER_UPDATES_PER_MINUTE="1000000") as running:
        await running.ready()
        token = running.mint("admin", "*")
        async with aiohttp.ClientSession() as http:
            operator = Client(http, running.url, token)
            (await operator.post("/v1/apps", {"app": "game"})).ok(201)
            (await operator.post("/v1/apps/game/boards", {"board": "main"})).ok(201)
            (await operator.post("/v1/apps/game/boards/main/scores", {"player": "alice", "increment": 1})).ok()
        check_operations(running.url, token)


def check_operations(url: str, token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    checked = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def respond_as_declared(case: schemathesis.Case[Any]) -> None:
            existing = {"app": "game", "board": "main", "player": "alice"}
            for name, value in existing.items():
                if name in case.path_parameters and len(case.path_parameters[name]) % 2:
                    case.path_parameters[name] = value
            case.call_and_validate(
                headers={"Authorization": f"Bearer {token}"},
                checks=[
                    checks.not_a_server_error,
                    contract.status_code_conformance,
                    contract.content_type_conformance,
                    contract.response_schema_conformance,
                ],
            )

        respond_as_declared()
        checked += 1
    assert checked > 25
