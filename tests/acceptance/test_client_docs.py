"""Examples of docs/how-to/python-client.md, run in order with their output."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process import process
from harness.waiting import BOUND_S
from scoreboard.client import errors

PAGE = Path(__file__).parents[2] / "docs/how-to/python-client.md"
PRINTED = re.compile(r"^ *print\(.*\)  # (.*?)$", re.MULTILINE)


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.mark.slow
async def test_examples_print_the_documented_output(tmp_path: Path) -> None:
    program = blocks("python")
    expected = PRINTED.findall(program)
    assert len(expected) == program.count("print("), "each print has its output next to it"
    with process(tmp_path / "data") as server:
        await server.ready()
        address = f"http://127.0.0.1:{server.port}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        run = await asyncio.to_thread(
            subprocess.run,
            [
                "bash",
                "-e",
                "-c",
                f'{blocks("sh")}\nexec "$0" -X dev -W error -c "$1"',
                sys.executable,
                program.replace("http://127.0.0.1:8000", address),
            ],
            env={**os.environ, "PATH": path, "SCOREBOARD_DATA": str(server.data)},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    printed = run.stdout.splitlines()
    assert printed[-len(expected) :] == expected


def test_page_lists_all_errors() -> None:
    kinds = errors.ScoreboardClientError.__subclasses__()
    table = PAGE.read_text().partition("| error | when |")[2].partition("\n\n")[0]
    assert {f"`{kind.__name__}`" for kind in kinds} == set(re.findall(r"`[A-Z]\w+`", table))
