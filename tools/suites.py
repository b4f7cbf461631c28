"""`python -m tools.suites`: run every suite, for `make test`.

When at most FEW tests fail, they run again, alone. A test that fails again has failed. A test that passes alone is
unsteady: it is named, and in CI it fails the run unless UNSTEADY lists it. An entry there needs a reason and an expiry
date; an expired entry, or one that names no test, fails every run.
"""

import ast
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

FEW = 3
SLOWEST = 15
UNSTEADY = Path("tests/unsteady.toml")


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A known unsteady test; the key is its file and function, without parameters."""

    reason: Annotated[str, msgspec.Meta(min_length=1)]
    expires: date


def read_entries(file: Path) -> dict[str, Entry]:
    """Return the known unsteady tests. ValidationError for an incomplete entry."""
    return msgspec.toml.decode(file.read_bytes(), type=dict[str, Entry])


def invalid_entries(entries: dict[str, Entry], today: date) -> list[str]:
    """Return one message for each entry that is expired or names no test."""
    expired = [f"{name} expired on {entry.expires}" for name, entry in entries.items() if entry.expires < today]
    return expired + [f"{name} is no test" for name in entries if not _exists(name)]


def _exists(name: str) -> bool:
    file, _, function = name.partition("::")
    if not Path(file).is_file():
        return False
    nodes = ast.walk(ast.parse(Path(file).read_bytes()))
    return function in {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


class _Recorder:
    """The failed tests of a run, in order, and the time that each file took."""

    def __init__(self) -> None:
        self.failed: dict[str, None] = {}
        self.milliseconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.milliseconds[report.nodeid.partition("::")[0]] += round(report.duration * 1_000)
        if report.failed:
            self.failed[report.nodeid] = None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"slowest {SLOWEST} files")
        for file, milliseconds in self.milliseconds.most_common(SLOWEST):
            terminalreporter.write_line(f"{milliseconds / 1_000:.2f}s {file}")


def main(arguments: list[str]) -> int:
    """Run the suites and return the exit status."""
    try:
        entries = read_entries(UNSTEADY)
    except msgspec.ValidationError as error:
        print(f"{UNSTEADY}: {error}")
        return pytest.ExitCode.USAGE_ERROR
    if invalid := invalid_entries(entries, datetime.now(UTC).date()):
        print(f"{UNSTEADY}:", *invalid, sep="\n  ")
        return pytest.ExitCode.USAGE_ERROR

    recorder = _Recorder()
    options = ["-n", "2", "--dist", "loadfile", f"--durations={SLOWEST}"]
    status = pytest.main([*options, *arguments], plugins=[recorder])
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(recorder.failed) <= FEW:
        return status
    print("\nRunning again, alone:", *recorder.failed, sep="\n  ", flush=True)
    command = [sys.executable, "-m", "pytest", *recorder.failed]
    if again := subprocess.run(command, check=False).returncode:  # noqa: S603 - names of this project's tests
        return again
    print("UNSTEADY, failed with others and passed alone:", *recorder.failed, sep="\n  ")
    unlisted = [test for test in recorder.failed if test.partition("[")[0] not in entries]
    if "CI" not in os.environ or not unlisted:
        return pytest.ExitCode.OK
    print(f"FAILED: CI accepts an unsteady test only if {UNSTEADY} lists it:", *unlisted, sep="\n  ")
    return pytest.ExitCode.TESTS_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
