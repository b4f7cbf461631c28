"""What the doctor says of settings, folders and disks."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap.diagnostics import local
from scoreboard.bootstrap.diagnostics.local import GIB
from scoreboard.bootstrap.settings import CATALOGUE, effective, load


def states(findings: Iterable[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def of_settings(**environment: str) -> list[Finding]:
    named = {f"SCOREBOARD_{name}": value for name, value in environment.items()}
    return list(local.diagnose_settings(effective(named), load(named)))


def test_settings_that_are_well_are_one_line_that_says_what_set_them() -> None:
    assert states(of_settings()) == ["ok"]
    (told,) = of_settings(PORT="9000", ORIGINS="https://a.example,http://localhost:3000")
    assert (told.state, told.remedy) == ("ok", None)
    assert told.text.startswith(f"2 of {len(CATALOGUE)} ")
    assert "port by SCOREBOARD_PORT" in told.text


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HOST", "0.0.0.0", "without TLS"),  # noqa: S104 - what is warned of
        ("LOG_LEVEL", "debug", "debug"),
        ("ORIGINS", "https://a.example,http://b.example", "http://b.example"),
        ("LIVE_CONNECTIONS", "1000000", "may open"),
    ],
)
def test_suspicious_settings_are_told_with_a_remedy(variable: str, value: str, words: str) -> None:
    _, told = of_settings(**{variable: value})
    assert told.state == "warning"
    assert words in told.text
    assert told.remedy


def test_a_folder_and_a_key_are_their_owners(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    key = tmp_path / "token.key"
    key.write_bytes(b"x" * 32)
    key.chmod(0o600)
    assert "problem" not in states(local.check_folder(tmp_path))
    key.chmod(0o640)
    (told,) = [finding for finding in local.check_folder(tmp_path) if finding.state == "problem"]
    assert (told.check, "0640" in told.text, "chmod 600" in str(told.remedy)) == ("key", True, True)
    key.chmod(0o600)
    tmp_path.chmod(0o770)
    (told,) = [finding for finding in local.check_folder(tmp_path) if finding.state == "problem"]
    assert (told.check, "chmod 700" in str(told.remedy)) == ("folder", True)


@pytest.mark.parametrize(("free", "state"), [(0, "problem"), (GIB, "warning"), (3 * GIB, "ok")])
def test_little_space_is_told_before_there_is_none(free: int, state: str) -> None:
    assert local.check_space(free).state == state


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("ext4", "ok"),
        (None, "ok"),
        ("tmpfs", "problem"),
        ("overlay", "warning"),
        ("nfs4", "warning"),
        ("fuse.sshfs", "warning"),
    ],
)
def test_a_file_system_that_keeps_nothing_or_promises_little_is_told(kind: str | None, state: str) -> None:
    assert local.check_file_system(kind).state == state


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="needs a file system in memory")  # noqa: S108 - only looked at
def test_the_file_system_is_that_of_the_nearest_mount() -> None:
    assert local.file_system(Path("/dev/shm")) == "tmpfs"  # noqa: S108 - only looked at
    assert local.file_system(Path("/proc/self")) == "proc"
