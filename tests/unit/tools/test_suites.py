"""A second chance is for a few tests, and what fails twice has failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PASSES = "def test_passes(): pass\n"
FAILS = "def test_fails(): assert False\n"
UNSTEADY = """
def test_unsteady(tmp_path_factory):
    before = __import__("pathlib").Path(__file__).with_suffix(".before")
    assert before.exists() or before.write_text("") is None and False
"""
MANY = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_of_many(n): assert False\n"


def run(folder: Path, tests: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "tools.suites", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_nothing_is_run_again_when_all_pass(tmp_path: Path) -> None:
    status, said = run(tmp_path, PASSES)
    assert status == 0
    assert "1 passed" in said
    assert "Once more" not in said


def test_one_that_passes_by_itself_is_named(tmp_path: Path) -> None:
    status, said = run(tmp_path, PASSES + UNSTEADY)
    assert status == 0
    assert "UNSTEADY" in said
    assert said.rstrip().endswith("test_it.py::test_unsteady")


def test_one_that_fails_twice_has_failed(tmp_path: Path) -> None:
    status, said = run(tmp_path, PASSES + FAILS)
    assert status == 1
    assert "Once more" in said
    assert "UNSTEADY" not in said


def test_many_are_not_run_again(tmp_path: Path) -> None:
    status, said = run(tmp_path, MANY)
    assert status == 1
    assert "Once more" not in said


def test_what_cannot_be_read_is_not_run_again(tmp_path: Path) -> None:
    status, said = run(tmp_path, "import nothing_of_this_name\n")
    assert status != 0
    assert "Once more" not in said
