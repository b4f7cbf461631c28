"""The service does what its OpenAPI document says: Schemathesis makes the requests and judges the answers."""

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


async def test_no_request_leads_to_a_5xx_or_an_undeclared_answer(tmp_path: Path) -> None:
    with process(tmp_path / "data", SCOREBOARD_PLAYER_UPDATES_PER_MINUTE="1000000") as running:
        await running.ready()
        token = running.mint("admin", "*")
        async with aiohttp.ClientSession() as http:
            operator = Client(http, running.url, token)
            (await operator.post("/v1/apps", {"app": "game"})).ok(201)
            (await operator.post("/v1/apps/game/boards", {"board": "main"})).ok(201)
            (await operator.post("/v1/apps/game/boards/main/scores", {"player": "alice", "increment": 1})).ok()
        walk(running.url, token)


def walk(url: str, token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    tried = 0
    for offered in schema.get_all_operations():
        assert isinstance(offered, Ok)
        operation = offered.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def answers_as_declared(case: schemathesis.Case[Any]) -> None:
            known = {"app": "game", "board": "main", "player": "alice"}
            for name, value in known.items():
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

        answers_as_declared()
        tried += 1
    assert tried > 25
