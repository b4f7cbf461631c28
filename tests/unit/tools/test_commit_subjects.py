"""The check of commit subjects, in clones of every kind."""

import subprocess
from pathlib import Path

import pytest

from tools import commit_subjects
from tools.commit_subjects import main, offences, since_base


@pytest.mark.parametrize(
    "subject", ["Add a batch endpoint", "Process refusals first", "Say why an update failed", "Re-read it"]
)
def test_an_imperative_subject_passes(subject: str) -> None:
    assert offences(subject) == []


@pytest.mark.parametrize(
    "subject",
    [
        "Added an endpoint",
        "Adds it",
        "Adding it",
        "The endpoint",
        "add it",
        "API: add it",
        "Add it.",
        "Add " + "x" * 69,
    ],
)
def test_another_subject_is_refused(subject: str) -> None:
    assert len(offences(subject)) == 1


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history whose first subject offends, and is the base."""
    folder = tmp_path / "history"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for subject in ("What was before", "Add a", "Add b"):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", subject)
    monkeypatch.setattr(commit_subjects, "BASE", git(folder, "rev-parse", "HEAD~2"))
    return folder


def test_commits_since_the_base_are_checked(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], history) == 0
    assert capsys.readouterr().out == "2 commit subjects, 0 offences\n"
    git(history, "commit", "--quiet", "--allow-empty", "--message", "Added c")
    assert main([], history) == 1
    assert "Added c: no imperative verb" in capsys.readouterr().out


def test_a_range_can_be_given(history: Path) -> None:
    assert main(["HEAD"], history) == 1
    assert main(["HEAD~1..HEAD"], history) == 0
    with pytest.raises(SystemExit, match="git log nowhere"):
        main(["nowhere"], history)


def test_a_shallow_and_detached_clone_is_checked(history: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "2", f"file://{history}", "shallow")
    git(tmp_path / "shallow", "checkout", "--quiet", "--detach")
    assert since_base(tmp_path / "shallow") == "HEAD"
    assert main([], tmp_path / "shallow") == 0


def test_a_tree_without_a_history_is_left_alone(tmp_path: Path) -> None:
    assert main([], tmp_path) == 0
