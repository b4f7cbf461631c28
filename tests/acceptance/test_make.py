"""`make` after a first run that failed."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_environment_without_pip_is_recreated(tmp_path: Path) -> None:
    """Recreate an environment that Debian left incomplete without python3-venv.

    After the package is installed, the next run of `make` must succeed.
    """
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements/run.lock", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    script(tmp_path / ".venv/bin/python", "exit 1")
    complete = script(tmp_path / "complete", "exit 0")
    python = script(tmp_path / "python", f'[ "$1" = -c ] || cp {complete} .venv/bin/python')
    run = subprocess.run(
        ["make", ".venv/.run", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / ".venv/.run").exists()
