"""Tests that the wheel contains the page and the JavaScript client it imports."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.web.node import CLIENT

ROOT = Path(__file__).parents[2]
PAGE = "scoreboard/entrypoints/pages/page"


def build(target: str, source: Path, into: Path) -> Path:
    command: list[str | Path] = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", into]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (archive_path,) = into.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return archive_path


@pytest.mark.slow
def test_a_wheel_has_the_page_and_the_client(tmp_path: Path) -> None:
    """Installers build the wheel from a source distribution, so both are checked."""
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    for source in (ROOT, unpacked):
        wheel = build("wheel", source, tmp_path / source.name)
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            assert {f"{PAGE}/{name}" for name in ("index.html", "embed.js", "element.js", "board.css")} <= names
            for module in sorted((CLIENT / "src").iterdir()):
                assert archive.read(f"{PAGE}/client/{module.name}") == module.read_bytes()
