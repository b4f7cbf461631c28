"""Output of commands on a terminal of 80 columns, and without a terminal."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command_line import COMMAND, CommandLine
from tests.acceptance.events import as_csv, events
from tests.acceptance.terminal import at_terminal, plain

WIDTH = 80
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]")
LONG = "a name of a board that goes on and on, beyond what fits a line of a terminal with the rest of it"


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    line = CommandLine(tmp_path)
    line.run("apps", "create", "game", "--name", LONG).ok()
    line.run("boards", "create", "main", "--app", "game", "--name", LONG).ok()
    return line


def output_of(cli: CommandLine, *arguments: str, lines: int = 24, **environment: str) -> str:
    """Return all that a successful command writes to the terminal."""
    with at_terminal(cli, *arguments, columns=WIDTH, lines=lines, **environment) as terminal:
        assert terminal.wait() == 0, terminal.written
        return terminal.written


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("import", "ledger", "--help"),
        ("apps", "list"),
        ("boards", "list", "--app", "game"),
        ("boards", "show", "main", "--app", "game"),
        ("config", "show"),
        ("doctor",),
    ],
)
def test_output_fits_80_columns(cli: CommandLine, command: tuple[str, ...]) -> None:
    lines = plain(output_of(cli, *command))
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    assert "…" not in text
    assert all(word in text for word in (LONG.split() if "game" in command or command[0] == "apps" else ()))


@pytest.mark.slow
def test_colours_are_only_for_terminals(cli: CommandLine) -> None:
    assert COLOUR.search(output_of(cli, "doctor"))
    for command in (("doctor",), ("boards", "--help"), ("apps", "show", "game")):
        assert not COLOUR.search(output_of(cli, *command, NO_COLOR="1"))
        assert "\x1b" not in cli.run(*command, NO_COLOR="").ok().out


@pytest.mark.slow
def test_progress_bar_is_only_for_terminals(cli: CommandLine) -> None:
    target = ("--app", "game", "--board", "main")
    cli.run("replay", as_csv(cli.home / "events", events(3_000, 1)), *target).ok()
    file = str(cli.home / "main.ndjson")
    exported = output_of(cli, "export", "ledger", file, *target)
    assert "exporting" in exported
    assert "3,000 rows" in exported
    cli.run("apps", "create", "copy").ok()
    cli.run("boards", "create", "main", "--app", "copy").ok()
    imported = output_of(cli, "import", "ledger", file, "--app", "copy", "--board", "main")
    assert "importing" in imported
    assert "3,000/3,000" in imported.replace(" ", "") or "3000/3000" in imported
    plain = cli.run("import", "ledger", file, "--app", "copy", "--board", "main").ok()
    assert "\x1b" not in plain.out + plain.err


@pytest.fixture(scope="module")
def script() -> str:
    return subprocess.run([COMMAND, "completion", "bash"], capture_output=True, text=True, check=True).stdout


class TestCompletion:
    """Completion in a real bash."""

    ASK = """
        source /dev/stdin <<< "$SCRIPT"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _scoreboard
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def test_script_is_valid(self, script: str) -> None:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("words", "completed"),
        [
            (("bo",), ["boards"]),
            (("export", "l"), ["ledger"]),
            (("boards", "create", "--op"), ["--operator"]),
            (("boards", "create", "--operator", ""), ["increment", "best", "latest"]),
            (("serve", "--log"), ["--log-level"]),
            (("completion", ""), ["bash", "zsh", "fish"]),
            (("import", "ledger", "/etc/host"), None),
        ],
    )
    def test_script_completes_words(self, script: str, words: tuple[str, ...], completed: list[str] | None) -> None:
        done = subprocess.run(
            ["bash", "-c", self.ASK, "-", "scoreboard", *words],
            env={**os.environ, "SCRIPT": script},
            capture_output=True,
            text=True,
            check=True,
        )
        found = done.stdout.split()
        assert found == completed if completed is not None else "/etc/hosts" in found
        assert not done.stderr

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells_have_scripts(self, cli: CommandLine, shell: str) -> None:
        assert "scoreboard" in cli.run("completion", shell).ok().out
        cli.run("completion", "tcsh").failed(2, "bash", "zsh", "fish")
