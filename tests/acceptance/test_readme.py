"""Commands of the README, run as documented."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process import process

README = Path(__file__).parents[2] / "README.md"


def block_after(heading: str, language: str = "sh") -> str:
    found = re.search(rf"^## {heading}\n.*?```{language}\n(.*?)```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.slow
async def test_your_own_board_in_a_minute(tmp_path: Path) -> None:
    with process(tmp_path / "data") as server:
        await server.ready()
        script, python = block_after("Your own board in a minute"), block_after("Your own board in a minute", "python")
        script = f"{script}echo; python - <<'END'\n{python}END\n".replace("http://127.0.0.1:8000", server.url)
        bin_folder = Path(sys.executable).parent
        script = script.replace("$PWD/.venv/bin", str(bin_folder))
        run = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-e", "-c", script],
            env={**os.environ, "SCOREBOARD_DATA": str(server.data)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    *_, curl, rank = run.stdout.splitlines()
    outcome = json.loads(curl)
    assert (outcome["player"], outcome["score"], outcome["rank"], rank) == ("alice", 5, 1, "1")
