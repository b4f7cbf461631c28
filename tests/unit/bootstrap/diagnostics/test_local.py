"""Tests of the findings about settings, folders and disks."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap.diagnostics import local
from scoreboard.bootstrap.diagnostics.local import GIB
from scoreboard.bootstrap.settings import CATALOGUE, effective, load


def states(findings: Iterable[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def findings_of(**environment: str) -> list[Finding]:
    named = {f"SCOREBOARD_{name}": value for name, value in environment.items()}
    return list(local.diagnose_settings(effective(named), load(named)))


def test_good_settings_are_one_finding_with_their_sources() -> None:
    assert states(findings_of()) == ["ok"]
    (found,) = findings_of(PORT="9000", ORIGINS="https://a.example,http://localhost:3000")
    assert (found.state, found.remedy) == ("ok", None)
    assert found.text.startswith(f"2 of {len(CATALOGUE)} ")
    assert "port (SCOREBOARD_PORT)" in found.text


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("HOST", "0.0.0.0", "without TLS"),  # noqa: S104 - what is warned of
        ("LOG_LEVEL", "debug", "debug"),
        ("ORIGINS", "https://a.example,http://b.example", "http://b.example"),
        ("LIVE_CONNECTIONS", "1000000", "may open"),
    ],
)
def test_risky_settings_have_a_remedy(variable: str, value: str, text: str) -> None:
    _, found = findings_of(**{variable: value})
    assert found.state == "warning"
    assert text in found.text
    assert found.remedy


def test_only_the_owner_may_write_the_folder_and_read_the_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    key = tmp_path / "token.key"
    key.write_bytes(b"x" * 32)
    key.chmod(0o600)
    assert "problem" not in states(local.check_folder(tmp_path))
    key.chmod(0o640)
    (found,) = [finding for finding in local.check_folder(tmp_path) if finding.state == "problem"]
    assert (found.check, "0640" in found.text, "chmod 600" in str(found.remedy)) == ("key", True, True)
    key.chmod(0o600)
    tmp_path.chmod(0o770)
    (found,) = [finding for finding in local.check_folder(tmp_path) if finding.state == "problem"]
    assert (found.check, "chmod 700" in str(found.remedy)) == ("folder", True)


@pytest.mark.parametrize(("free", "state"), [(0, "problem"), (GIB, "warning"), (3 * GIB, "ok")])
def test_low_disk_space_is_reported(free: int, state: str) -> None:
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
def test_unreliable_file_systems_are_reported(kind: str | None, state: str) -> None:
    assert local.check_file_system(kind).state == state


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="needs a file system in memory")  # noqa: S108 - only looked at
def test_the_file_system_is_found_by_the_nearest_mount() -> None:
    assert local.file_system(Path("/dev/shm")) == "tmpfs"  # noqa: S108 - only looked at
    assert local.file_system(Path("/proc/self")) == "proc"
