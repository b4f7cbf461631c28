"""Node's test runner for the suites."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import playwright

CLIENT = Path(__file__).parents[2] / "clients" / "javascript"
OLDEST = (20, 3)


@cache
def node() -> str:
    """Return the installed Node if the client supports its version, else Playwright's."""
    found = shutil.which("node")
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(int(part) for part in version.strip("v\n").split(".")[:2]) >= OLDEST:
            return found
    return str(Path(playwright.__file__).parent / "driver" / "node")


def run_node_tests(*files: Path, **environment: str) -> None:
    """Assert that the tests in these files pass. Node 20 has WebSocket behind a flag."""
    run = subprocess.run(
        [node(), "--experimental-websocket", "--no-warnings", "--test", *files],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stdout[-6_000:] + run.stderr[-2_000:]
