"""`scoreboard watch`: a board that moves, on a terminal and in scripts."""

import json
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from harness.ports import free_port
from scoreboard.client import Scoreboard
from tests.acceptance.command_line import BOUND_S, COMMAND, CommandLine, Running, until
from tests.acceptance.terminal import CURSOR, OLD_SCREEN, OWN_SCREEN, at_terminal

pytestmark = pytest.mark.slow
WATCH = ("watch", "main", "--app", "game")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = CommandLine(tmp_path)
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game", "--top-n", "3").ok()
    return cli


@pytest.fixture
def token(cli: CommandLine) -> str:
    return cli.run("token", "server", "--app", "game").ok().out.strip()


def lines(running: Running, count: int) -> list[str]:
    """Wait for this number of lines, and return them."""
    until(lambda: len(running.out.splitlines()) >= count or running.process.poll() is not None, f"{count} lines")
    found = running.out.splitlines()
    assert len(found) == count, (found, running.err)
    return found


def shown_by(running: Running, player: str) -> bool:
    return player in running.out


def test_terminal_shows_movement(cli: CommandLine, token: str) -> None:
    with cli.serving() as served, Scoreboard(served.url, app="game", token=token) as scoreboard:
        scoreboard.update("main", "alice", increment=1_000)
        with at_terminal(cli, *WATCH) as terminal:
            shown = terminal.shows("● live")
            assert shown[0].startswith("game/main  all time, world, 1 player")
            assert shown[0].endswith("● live")
            assert len(shown[0]) == 80, "the heading is as wide as the terminal"
            scoreboard.update("main", "bob", increment=2_500)
            shown = terminal.shows("bob")
            assert [line.split() for line in shown[4:6]] == [
                ["1", "bob", "2,500"],
                ["2", "▼", "1", "alice", "1,000"],
            ]
            scoreboard.update("main", "alice", increment=5_000)
            assert [line.split() for line in terminal.shows("6,000")[4:6]] == [
                ["1", "alice", "6,000"],
                ["2", "▼", "1", "bob", "2,500"],
            ]
            assert max(map(len, terminal.frame)) <= 80
            assert terminal.wait(signal.SIGINT) == 130
    assert terminal.written.startswith(OWN_SCREEN)
    assert terminal.written.endswith(OLD_SCREEN)
    assert CURSOR in terminal.written.rsplit("\x1b[H", 1)[-1]


def test_screen_follows_the_terminal_size(cli: CommandLine, token: str) -> None:
    cli.run("boards", "update", "main", "--app", "game", "--top-n", "50").ok()
    with cli.serving() as served, Scoreboard(served.url, app="game", token=token) as scoreboard:
        for number in range(30):
            scoreboard.update("main", f"player-{number}", increment=number)
        with at_terminal(cli, *WATCH) as terminal:
            assert any("12 more not shown" in line for line in terminal.shows("not shown"))
            terminal.resize(60, 12)
            shown = terminal.shows("24 more not shown")
            assert max(map(len, shown)) <= 60
            assert len(shown) <= 12
            terminal.resize(120, 40)
            assert any("player-0" in line for line in terminal.shows("player-0 "))
            assert terminal.wait(signal.SIGTERM) == 130
    assert terminal.written.endswith(OLD_SCREEN), "also after SIGTERM"


def test_screen_is_stale_while_the_server_is_down(cli: CommandLine, token: str) -> None:
    port = str(free_port())
    with cli.serving("--port", port) as served:
        with Scoreboard(served.url, app="game", token=token) as scoreboard:
            scoreboard.update("main", "alice", increment=1)
        with at_terminal(cli, *WATCH) as terminal:
            terminal.shows("● live")
            served.interrupt()
            shown = terminal.shows("○ reconnecting in")
            assert any("alice" in line for line in shown), "the last board stays"
            assert any(line.startswith("stale, as of") for line in terminal.shows("stale, as of"))
            with cli.serving() as again:  # on another port, which the folder stores
                terminal.shows("● live")
                with Scoreboard(again.url, app="game", token=token) as scoreboard:
                    scoreboard.update("main", "alice", increment=41)
                terminal.shows(" 42")
                assert terminal.wait(signal.SIGINT) == 130


def test_each_change_is_a_line_without_a_terminal(cli: CommandLine, token: str) -> None:
    with cli.serving() as served, Scoreboard(served.url, app="game", token=token) as scoreboard:
        scoreboard.update("main", "alice", increment=5)
        with cli.started(*WATCH) as watching:
            lines(watching, 1)
            scoreboard.update("main", "a b", increment=7)
            lines(watching, 3)
            scoreboard.update_many("main", [])
            for player, increment in (("carl", 9), ("dora", 6)):
                scoreboard.update("main", player, increment=increment)
                until(partial(shown_by, watching, player), player)
            until(lambda: watching.out.endswith("alice\n"), "alice is out")
            done = watching.interrupt()
    assert done.status == 130
    assert "Traceback" not in done.err
    changes = [line.split("\t") for line in done.out.splitlines()]
    assert [fields[1:] for fields in changes] == [
        ["1", "-", "5", "alice"],
        ["1", "-", "7", "a b"],
        ["2", "1", "5", "alice"],
        ["1", "-", "9", "carl"],
        ["2", "1", "7", "a b"],
        ["3", "2", "5", "alice"],
        ["3", "-", "6", "dora"],
        ["-", "3", "5", "alice"],
    ]
    assert all(len(fields[0]) == len("2026-11-21T05:16:30.627Z") for fields in changes)
    assert "\x1b" not in done.out


def test_json_lines_for_programs(cli: CommandLine, token: str) -> None:
    with cli.serving() as served, Scoreboard(served.url, app="game", token=token) as scoreboard:
        cli.run("boards", "create", "wide", "--app", "game", "--max-total", str(2**63 - 1)).ok()
        scoreboard.update("wide", "alice", increment=5)
        with cli.started("watch", "wide", "--app", "game", "--json") as watching:
            lines(watching, 1)
            scoreboard.update("wide", "alice", increment=2**53 - 5)
            first, second = map(json.loads, lines(watching, 2))
    assert first.pop("at") < second.pop("at")
    assert first == {"season": "all", "rank": 1, "previous_rank": None, "score": 5, "player": "alice"}
    assert second == {"season": "all", "rank": 1, "previous_rank": 1, "score": str(2**53), "player": "alice"}


def test_no_change_is_printed_twice_after_a_restart(cli: CommandLine, token: str) -> None:
    with cli.serving() as served, cli.started(*WATCH) as watching:
        with Scoreboard(served.url, app="game", token=token) as scoreboard:
            scoreboard.update("main", "alice", increment=5)
            lines(watching, 1)
        served.interrupt()
        watching.wait_for("trying again in")
        with cli.serving() as again, Scoreboard(again.url, app="game", token=token) as scoreboard:
            watching.wait_for("Reconnected.")
            scoreboard.update("main", "alice", increment=1)
            assert [line.split("\t")[1:] for line in lines(watching, 2)] == [
                ["1", "-", "5", "alice"],
                ["1", "1", "6", "alice"],
            ]


def test_closed_pipe_ends_the_command(cli: CommandLine, token: str) -> None:
    with cli.serving() as served, Scoreboard(served.url, app="game", token=token) as scoreboard:
        scoreboard.update("main", "alice", increment=5)
        watching = subprocess.Popen([COMMAND, *WATCH], stdout=subprocess.PIPE, env=cli.environment)
        assert watching.stdout is not None
        with watching.stdout as reader:
            assert reader.readline().endswith(b"\t5\talice\n")
        scoreboard.update("main", "alice", increment=5)
        assert watching.wait(BOUND_S) == 141


def test_error_is_one_line(cli: CommandLine, token: str) -> None:
    cli.run(*WATCH).failed(2, "no server is running", "scoreboard serve")
    with cli.serving() as served:
        cli.run("watch", "mian", "--app", "game").failed(1, "board_not_found", "scoreboard boards list")
        cli.run(*WATCH, "--region", "eu").failed(1, "region_not_found")
        cli.run(*WATCH, "--url", served.url, "--token", "x.y.z").failed(1, "token_refused")
