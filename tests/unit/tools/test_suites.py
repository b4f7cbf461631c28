"""Second runs of a few failed tests, and the list of unsteady tests."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest

from tools.suites import Entry, invalid_entries, read_entries

ROOT = Path(__file__).parents[3]
PASSES = "def test_passes(): pass\n"
FAILS = "def test_fails(): assert False\n"
UNSTEADY = """
import pathlib, pytest
@pytest.mark.parametrize('n', ['a[b]'])
def test_unsteady(n):
    before = pathlib.Path(__file__).with_suffix(".before")
    assert before.exists() or before.write_text("") is None and False
"""
MANY = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_of_many(n): assert False\n"
LISTED = '["test_it.py::test_unsteady"]\nreason = "a known race"\nexpires = 2999-12-31\n'
NAME = f"{Path(__file__).relative_to(ROOT)}::test_a_valid_entry_is_accepted"
DAY = date(2026, 12, 1)


def run(folder: Path, tests: str, listed: str = "", *, ci: bool = False) -> tuple[int, str]:
    (folder / "test_it.py").write_text(tests)
    (folder / "tests").mkdir()
    (folder / "tests" / "unsteady.toml").write_text(listed)
    command = [sys.executable, "-m", "tools.suites", "."]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": "true"} if ci else {})
    environment |= {"PYTHONPATH": str(ROOT)}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}  # others take seconds
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_nothing_runs_again_when_all_pass(tmp_path: Path) -> None:
    status, printed = run(tmp_path, PASSES, ci=True)
    assert status == 0
    assert "1 passed" in printed
    assert "Running again" not in printed


@pytest.mark.slow
def test_the_slowest_files_are_printed(tmp_path: Path) -> None:
    _, printed = run(tmp_path, PASSES)
    assert "s test_it.py" in printed.partition("slowest 15 files")[2]


@pytest.mark.slow
def test_one_that_passes_alone_is_named(tmp_path: Path) -> None:
    status, printed = run(tmp_path, PASSES + UNSTEADY)
    assert status == 0
    assert "UNSTEADY" in printed
    assert printed.rstrip().endswith("test_it.py::test_unsteady[a[b]]")


@pytest.mark.slow
def test_one_that_passes_alone_fails_ci(tmp_path: Path) -> None:
    status, printed = run(tmp_path, PASSES + UNSTEADY, ci=True)
    assert status == 1
    assert "FAILED: CI accepts" in printed
    assert printed.rstrip().endswith("test_it.py::test_unsteady[a[b]]")


@pytest.mark.slow
def test_one_that_passes_alone_and_is_listed_passes_ci(tmp_path: Path) -> None:
    status, printed = run(tmp_path, PASSES + UNSTEADY, LISTED, ci=True)
    assert status == 0
    assert "UNSTEADY" in printed


@pytest.mark.slow
def test_one_that_fails_twice_has_failed(tmp_path: Path) -> None:
    status, printed = run(tmp_path, PASSES + FAILS, LISTED.replace("unsteady", "fails"), ci=True)
    assert status == 1
    assert "Running again" in printed
    assert "UNSTEADY" not in printed


@pytest.mark.slow
def test_many_do_not_run_again(tmp_path: Path) -> None:
    status, printed = run(tmp_path, MANY)
    assert status == 1
    assert "Running again" not in printed


@pytest.mark.slow
def test_a_file_that_cannot_be_imported_does_not_run_again(tmp_path: Path) -> None:
    status, printed = run(tmp_path, "import nothing_of_this_name\n")
    assert status != 0
    assert "Running again" not in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listed", "printed"),
    [
        (LISTED.replace("2999", "2025"), "test_it.py::test_unsteady expired on 2025-12-31"),
        (LISTED.replace('reason = "a known race"', ""), "missing required field `reason`"),
    ],
)
def test_an_invalid_entry_fails_the_run_before_it_starts(tmp_path: Path, listed: str, printed: str) -> None:
    status, output = run(tmp_path, PASSES + UNSTEADY, listed)
    assert status != 0
    assert printed in output
    assert "passed" not in output


def test_the_entries_of_the_project_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # `make test` checks the expiry dates: a date that passes does not stop `make check`.
    assert invalid_entries(read_entries(Path("tests/unsteady.toml")), date.min) == []


def test_a_valid_entry_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert invalid_entries({NAME: Entry("a known race", DAY)}, DAY) == []


@pytest.mark.parametrize(
    "name", [f"{NAME}_", "tests/no_file.py::test_it", "tests/unit/tools/test_suites.py", f"{NAME}[parameter]", ""]
)
def test_an_entry_that_names_no_test_is_invalid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(ROOT)
    assert invalid_entries({name: Entry("a known race", DAY)}, DAY) == [f"{name} is no test"]


@pytest.mark.parametrize(
    "entry",
    ["expires = 2026-12-31", 'reason = ""\nexpires = 2026-12-31', 'reason = "a race"', 'reason = "a"\nuntil = 1'],
)
def test_an_incomplete_entry_is_invalid(tmp_path: Path, entry: str) -> None:
    file = tmp_path / "unsteady.toml"
    file.write_text(f'["test_it.py::test_it"]\n{entry}\n')
    with pytest.raises(msgspec.ValidationError):
        read_entries(file)
