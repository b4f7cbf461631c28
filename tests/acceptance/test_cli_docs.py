"""Commands of the how-to pages on the command line, run as documented."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine
from tests.acceptance.events import as_csv, events, expected

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
MAIN = ("--app", "demo", "--board", "main")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def blocks(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)


def run_script(cli: CommandLine, script: str) -> None:
    """Run a script, which must succeed line by line."""
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=cli.home,
        env={**cli.environment, "PATH": f"{Path(sys.executable).parent}:{cli.environment['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_import_and_export_page(cli: CommandLine) -> None:
    with cli.serving() as served:
        played = events(1_500, 1)
        cli.run("replay", as_csv(cli.home / "events", played), *MAIN, "--create").ok()
        cli.run("actions", "create", "coin", "--app", "demo", "--points", "3").ok()
        files, pipe = blocks("import-export.md")
        run_script(cli, files)
        assert served.standings("copy", "main") == expected(played)
        run_script(cli, pipe)
        assert served.standings("copy", "main") == expected(played)
        assert cli.run("actions", "list", "--app", "copy", "--json").json[0]["points"] == 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the command line of SQLite")
def test_back_up_and_restore_page(cli: CommandLine) -> None:
    backup, restored = cli.home / "backup", cli.home / "restored"
    backup.mkdir(mode=0o700)
    copying, restoring, _ = blocks("back-up.md")
    with cli.serving() as served:
        played = events(1_500, 2)
        cli.run("replay", as_csv(cli.home / "events", played), *MAIN, "--create").ok()
        run_script(cli, copying.replace("/var/lib/scoreboard", str(cli.data)).replace("/backup", str(backup)))
        cli.run("replay", as_csv(cli.home / "later", events(100, 3)), *MAIN).ok()
        token = cli.run("token", "admin", "--app", "*").ok().out.strip()
        assert served.standings("demo", "main") != expected(played)
    run_script(cli, restoring.replace("/var/lib/scoreboard", str(restored)).replace("/backup", str(backup)))
    cli.environment["SCOREBOARD_DATA"] = str(restored)
    with cli.serving() as again:
        assert again.standings("demo", "main") == expected(played)
        cli.run("apps", "list", "--url", again.url, "--token", token).ok()
