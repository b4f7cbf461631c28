"""What the doctor says of a database file."""

import dataclasses
from pathlib import Path

import pytest

from scoreboard.adapters.sqlite import diagnostics
from scoreboard.adapters.sqlite.diagnostics import GIB
from scoreboard.adapters.sqlite.inspection import Inspection

WELL = Inspection(1, 1, "wal", 2, [], 1 << 20, 0, 0)


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"version": 2}, "problem", "newer"),
        ({"version": 0}, "warning", "schema 0 of 1"),
        ({"faults": ["row 5 missing from index"]}, "problem", "row 5 missing"),
        ({"faults": None}, "ok", "when it is stopped"),
        ({"journal_mode": "delete"}, "problem", "may be lost"),
        ({"synchronous": 1}, "problem", "may be lost"),
        ({"wal_bytes": 5 * GIB}, "warning", "GiB"),
        ({"latest_instant": 2**60}, "problem", "ahead of the clock"),
    ],
)
def test_a_store_that_is_not_well_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], state: str, words: str
) -> None:
    path = tmp_path / "scoreboard.db"
    path.touch()
    found = WELL
    monkeypatch.setattr(diagnostics, "inspect", lambda path, *, check: found)
    findings, sound = diagnostics.diagnose_store(path, served=False)
    assert ({finding.state for finding in findings}, sound) == ({"ok"}, True)
    found = dataclasses.replace(WELL, **change)  # type: ignore[arg-type]  # values of many types
    findings, sound = diagnostics.diagnose_store(path, served=False)
    (told,) = [finding for finding in findings if words in finding.text]
    assert told.state == state
    assert sound == (not change.keys() & {"version", "faults"} or state == "ok")
    assert (told.remedy is None) == (state == "ok")
