"""`make` on a machine where its first try failed half way."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_an_environment_without_pip_is_made_anew(tmp_path: Path) -> None:
    """As Debian leaves it where python3-venv is absent: it says what to install, and the next try has to succeed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements/run.lock", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    script(tmp_path / ".venv/bin/python", "exit 1")
    whole = script(tmp_path / "whole", "exit 0")
    python = script(tmp_path / "python", f'[ "$1" = -c ] || cp {whole} .venv/bin/python')
    made = subprocess.run(
        ["make", ".venv/.run", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert (tmp_path / ".venv/.run").exists()
