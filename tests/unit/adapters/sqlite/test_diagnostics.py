"""The findings of the doctor about a database file."""

import dataclasses
from pathlib import Path

import pytest

from scoreboard.adapters.sqlite import diagnostics
from scoreboard.adapters.sqlite.diagnostics import GIB
from scoreboard.adapters.sqlite.inspection import Inspection

HEALTHY = Inspection(1, 1, "wal", 2, [], 1 << 20, 0, 0)


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"version": 2}, "problem", "newer"),
        ({"version": 0}, "warning", "schema version 0 of 1"),
        ({"faults": ["row 5 missing from index"]}, "problem", "row 5 missing"),
        ({"faults": None}, "ok", "stop the server to check it"),
        ({"journal_mode": "delete"}, "problem", "may lose"),
        ({"synchronous": 1}, "problem", "may lose"),
        ({"wal_bytes": 5 * GIB}, "warning", "GiB"),
        ({"latest_instant": 2**60}, "problem", "ahead of the clock"),
    ],
)
def test_a_damaged_or_misconfigured_store_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], state: str, words: str
) -> None:
    path = tmp_path / "scoreboard.db"
    path.touch()
    found = HEALTHY
    monkeypatch.setattr(diagnostics, "inspect", lambda path, *, check: found)
    findings, usable = diagnostics.diagnose_store(path, served=False)
    assert ({finding.state for finding in findings}, usable) == ({"ok"}, True)
    found = dataclasses.replace(HEALTHY, **change)  # type: ignore[arg-type]  # values of many types
    findings, usable = diagnostics.diagnose_store(path, served=False)
    (finding,) = [one for one in findings if words in one.text]
    assert finding.state == state
    assert usable == (not change.keys() & {"version", "faults"} or state == "ok")
    assert (finding.remedy is None) == (state == "ok")
