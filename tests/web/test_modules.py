"""The page's modules, tested by Node's own runner where there is Node."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_modules_of_the_page_pass_their_own_tests() -> None:
    node = shutil.which("node")
    if node is None and "CI" not in os.environ:
        pytest.skip("there is no Node on this machine")
    assert node is not None, "CI needs Node"
    run = subprocess.run(
        [node, "--test", *sorted(HERE.glob("*.test.mjs"))], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-4_000:]
