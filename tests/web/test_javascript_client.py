"""The JavaScript client against the running service, and what its README tells a reader to write."""

import asyncio
import re
import subprocess

import pytest

from harness.service import Running
from tests.making import WIDE
from tests.web.node import CLIENT, node, passes

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WIDE_AS_TEXT = {name: str(bound) for name, bound in WIDE.items()}


async def test_the_client_against_the_running_service(service: Running) -> None:
    await service.board("updates", regions=["eu", "us"])
    for board in ("batch", "reads", "lost", "live", "resume"):
        await service.board(board)
    await service.board("best", operator="best")
    await service.board("wide", operator="latest", **WIDE_AS_TEXT)
    await service.board("private", public=False)
    (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 25})).ok(201)
    await asyncio.to_thread(
        passes,
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
    said = [await asyncio.to_thread(run, example, service) for example in examples]
    assert said[0] == "alice 5 1\n"
    assert said[1] == ""
    assert said[2] == "2 0 7\n"
    assert said[3].splitlines()[:2] == ["4 alice 1 4 [ 'nobody' ]", "1 alice 30"]
    assert said[4].split("\n", 1)[0] == "connecting"
    assert "1. alice 30" in said[4]


def run(example: str, service: Running) -> str:
    """An example as a module of somebody who has the package."""
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
