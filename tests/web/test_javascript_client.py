"""Tests of the JavaScript client and the examples in its README against a service."""

import asyncio
import re
import subprocess

import pytest

from harness.service import Running
from tests.making import WIDE
from tests.web.node import CLIENT, node, run_node_tests

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WIDE_AS_TEXT = {name: str(bound) for name, bound in WIDE.items()}


async def test_the_client_works_with_a_running_service(service: Running) -> None:
    await service.board("updates", regions=["eu", "us"])
    for board in ("batch", "reads", "lost", "live", "resume"):
        await service.board(board)
    await service.board("best", operator="best")
    await service.board("wide", operator="latest", **WIDE_AS_TEXT)
    await service.board("private", public=False)
    (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 25})).ok(201)
    await asyncio.to_thread(
        run_node_tests,
        CLIENT / "test" / "service.test.js",
        SCOREBOARD_TEST_URL=service.url,
        SCOREBOARD_TEST_TOKEN=service.token("server", "game"),
        SCOREBOARD_TEST_PLAYER_TOKEN=service.token("player", "game", "pat"),
    )


async def test_the_examples_of_the_readme_run_in_order(service: Running) -> None:
    await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 25})).ok(201)
    examples = re.findall(r"^```js\n(.*?)^```", (CLIENT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 5
    printed = [await asyncio.to_thread(run, example, service) for example in examples]
    assert printed[0] == "alice 5 1\n"
    assert printed[1] == ""
    assert printed[2] == "2 0 7\n"
    assert printed[3].splitlines()[:2] == ["4 alice 1 4 [ 'nobody' ]", "1 alice 30"]
    assert printed[4].split("\n", 1)[0] == "connecting"
    assert "1. alice 30" in printed[4]


def run(example: str, service: Running) -> str:
    """Run an example as an ES module in the folder of the package; return its output."""
    done = subprocess.run(
        [node(), "--experimental-websocket", "--no-warnings", "--input-type=module", "-"],
        input=example.replace("https://scores.example", service.url),
        capture_output=True,
        text=True,
        check=False,
        cwd=CLIENT,
        env={"SCOREBOARD_TOKEN": service.token("server", "game")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
