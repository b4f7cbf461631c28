"""Command line: help, errors, exit statuses and the management of resources."""

import json
import os
import pty
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cyclopts import App

from scoreboard.adapters.sqlite.plugin import FILE as DATABASE
from scoreboard.cli import main
from tests.acceptance.command_line import BOUND_S, COMMAND, CommandLine, Ended, Served, until


def commands(app: App, *chain: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""
    yield chain
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name], *chain, name)


COMMANDS = [*commands(main.app)]


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@contextmanager
def serving(cli: CommandLine, serve: str) -> Iterator[Served | None]:
    """Run a `serve` on the same folder, or none for "alone"."""
    if serve == "alone":
        yield None
        return
    with cli.serving() as served:
        yield served


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    helps = {}
    for width in ("80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        assert main.status([*command, "--help"]) == 0
        helps[width] = capsys.readouterr().out
    out = helps["80"]
    assert f"Usage: scoreboard {' '.join(command)}".strip() in out
    assert f"\n  scoreboard {' '.join(command)}".rstrip() in out, "it has an example"
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert examples(out) == examples(helps["200"]), "no example is wrapped"


def examples(out: str) -> list[str]:
    return [line.rstrip() for line in out.splitlines() if line.startswith("  scoreboard ")]


def test_real_command_prints_help(cli: CommandLine) -> None:
    assert len(COMMANDS) > 40
    assert "Usage: scoreboard boards create" in cli.run("boards", "create", "--help").ok().out


@pytest.mark.slow
def test_misspelled_name_suggests_the_nearest(cli: CommandLine) -> None:
    cli.run("bords", "list").failed(2, '"boards"', "--help")
    cli.run("boards", "list", "--ap", "demo").failed(2, "Did you mean --app", "scoreboard boards list --help")
    cli.run("boards", "list").failed(2, "--app")
    cli.run("boards", "create", "main", "--app", "demo", "--operator", "bets").failed(2, "--operator", "best")
    cli.run("boards", "create", "main", "--app", "demo", "--top-n", "ten").failed(
        2, "--top-n: 'ten' is not a whole number"
    )
    cli.run("token", "server", "--app", "demo", "--days", "x").failed(2, "--days: 'x' is not a number")


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("actions create win --app demo --points", "5.5"),
        ("actions create win --app demo --points", "9007199254740993.0"),
        ("actions update win --app demo --per-day", "0x10"),
        ("boards create main --app demo --max-total", "1e3"),
        ("boards update main --app demo --top-n", "3.0"),
        ("players list --app demo --limit", "1.9"),
        ("top main --app demo --limit", "2.5"),
        ("dlq list --limit", "2.5"),
    ],
)
def test_integer_option_rejects_other_numbers(cli: CommandLine, command: str, value: str) -> None:
    name = command.rpartition(" ")[2]
    cli.run(*command.split(), value).failed(2, f"{name}: '{value}' is not a whole number")


@pytest.mark.slow
@pytest.mark.parametrize("serve", ["alone", "served"])
def test_resources_are_created_changed_and_deleted(cli: CommandLine, serve: str) -> None:
    with serving(cli, serve):
        assert "no apps yet" in cli.run("apps", "list").ok().err
        made = cli.run("apps", "create", "game", "--name", "Spiel ü", "--json").json
        assert made == {"app": "game", "name": "Spiel ü", "time_zone": "UTC"}
        assert cli.run("apps", "list", "--json").json == [made]
        assert cli.run("apps", "show", "game", "--json").json == made
        table = cli.run("apps", "list").ok().out
        assert "Spiel ü" in table
        assert "\x1b" not in table
        assert (
            cli.run("apps", "update", "game", "--time-zone", "Asia/Tokyo", "--json").json["time_zone"] == "Asia/Tokyo"
        )

        options = (
            "--operator",
            "best",
            "--direction",
            "ascending",
            "--region",
            "eu",
            "--region",
            "us",
            "--min-value",
            "-5",
        )
        board = cli.run("boards", "create", "laps", "--app", "game", *options, "--no-public", "--json").json
        assert (board["operator"], board["direction"], board["regions"]) == ("best", "ascending", ["eu", "us"])
        assert (board["min_value"], board["public"], board["time_zone"]) == (-5, False, "Asia/Tokyo")
        assert cli.run("boards", "list", "--app", "game", "--json").json == [board]
        assert cli.run("boards", "update", "laps", "--app", "game", "--public", "--json").json == {
            **board,
            "public": True,
        }
        assert "ascending" in cli.run("boards", "show", "laps", "--app", "game").ok().out

        action = cli.run(
            "actions", "create", "coin", "--app", "game", "--points", "-3", "--per-day", "2", "--json"
        ).json
        assert action == {"action": "coin", "points": -3, "per_day": 2, "cooldown_s": 0}
        changed = cli.run("actions", "update", "coin", "--app", "game", "--points", "4", "--no-per-day", "--json").json
        assert changed == {**action, "points": 4, "per_day": None}
        assert cli.run("actions", "list", "--app", "game", "--json").json == [changed]
        assert cli.run("actions", "show", "coin", "--app", "game", "--json").json == changed

        cli.run("actions", "delete", "coin", "--app", "game", "--yes").ok()
        cli.run("actions", "show", "coin", "--app", "game").failed(1, "action_not_found", "scoreboard actions list")
        cli.run("boards", "delete", "laps", "--app", "game", "--yes").ok()
        cli.run("apps", "delete", "game", "--yes").ok()
        cli.run("apps", "show", "game").failed(1, "app_not_found")


@pytest.mark.slow
@pytest.mark.parametrize("serve", ["alone", "served"])
def test_players_with_unusual_ids_are_listed_by_page(cli: CommandLine, serve: str) -> None:
    with serving(cli, serve):
        cli.run("apps", "create", "game").ok()
        ids = sorted(["..", ".", "a/b", "a b", "ü?#%", "zoë"])
        for player in ids:
            made = cli.run("players", "create", player, "--app", "game", "--email", "a@example.com", "--json").json
            assert made["player"] == player
        assert [p["player"] for p in cli.run("players", "list", "--app", "game", "--json").json] == ids
        some = cli.run("players", "list", "--app", "game", "--after", ids[0], "--limit", "2")
        assert f"--after '{ids[2]}'" in some.ok().err
        cleared = cli.run("players", "update", "..", "--app", "game", "--no-email", "--username", "Dots", "--json").json
        assert (cleared["email"], cleared["username"]) == (None, "Dots")
        cli.run("players", "update", "..", "--app", "game").failed(2, "players update --help")
        cli.run("players", "update", "..", "--app", "game", "--email", "x", "--no-email").failed(2, "--no-email")
        cli.run("players", "delete", "..", "--app", "game", "--yes").ok()
        cli.run("players", "delete", "..", "--app", "game", "--yes").failed(1, "player_not_found")
        assert cli.run("apps", "show", "game", "--json").json["app"] == "game", "no path led to the app"
        assert cli.run("players", "show", "a/b", "--app", "game", "--json").json["player"] == "a/b"


@pytest.mark.slow
def test_refused_request_prints_code_and_hint(cli: CommandLine) -> None:
    cli.run("apps", "create", "Not A Slug").failed(1, "invalid_app")
    cli.run("apps", "create", "game").ok()
    cli.run("apps", "create", "game").failed(1, "app_exists", "scoreboard apps update")
    cli.run("boards", "list", "--app", "nix").failed(1, "app_not_found", "scoreboard apps list")


@pytest.mark.slow
def test_deletion_needs_confirmation(cli: CommandLine) -> None:
    cli.run("apps", "create", "game").ok()
    cli.run("apps", "delete", "game", given="y\n").failed(2, "--yes")
    assert _answer_prompt(cli, "n\n", "apps", "delete", "game") == 1
    cli.run("apps", "show", "game").ok()
    assert _answer_prompt(cli, "y\n", "apps", "delete", "game") == 0
    cli.run("apps", "show", "game").failed(1, "app_not_found")


def _answer_prompt(cli: CommandLine, typed: str, *arguments: str) -> int:
    """Return the exit status of a command at a terminal, with this text typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        done = subprocess.run(
            [COMMAND, *arguments], stdin=theirs, capture_output=True, timeout=BOUND_S, env=cli.environment, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"[y/N]" in done.stderr
    return done.returncode


@pytest.mark.slow
def test_remote_server_is_reached_by_url_and_token(cli: CommandLine, tmp_path: Path) -> None:
    token = cli.run("token", "admin", "--app", "*").ok().out.strip()
    player = cli.run("token", "player", "--app", "game", "--subject", "alice").ok().out.strip()
    remote = CommandLine(tmp_path / "remote")
    remote.home.mkdir()
    del remote.environment["SCOREBOARD_DATA"]
    with cli.serving() as served:
        remote.run("apps", "create", "game", "--url", served.url, "--token", token).ok()
        there = {"SCOREBOARD_URL": served.url + "/", "SCOREBOARD_TOKEN": token}
        assert [app["app"] for app in remote.run("apps", "list", "--json", **there).json] == ["game"]
        remote.run("apps", "list", **{**there, "SCOREBOARD_TOKEN": "x"}).failed(1, "token_invalid", "scoreboard token")
        remote.run("apps", "list", **{**there, "SCOREBOARD_TOKEN": player}).failed(
            1, "scope_missing", "scoreboard token admin"
        )
        assert remote.run("apps", "list", "--data", remote.data, "--json", **there).json == [], "options win"
    remote.run("apps", "list", **there).failed(1, "no response from", served.url)
    remote.run("apps", "list", "--url", served.url).failed(2, "SCOREBOARD_TOKEN")
    remote.run("apps", "list", "--token", token).failed(2, "--url")
    remote.run("apps", "list", "--url", "nonsense", "--token", "x").failed(2, "http://127.0.0.1:8000")
    remote.run("apps", "list", "--url", served.url, "--data", remote.data).failed(2, "cannot be used together")


class TestToken:
    def test_stdout_has_only_the_token(self, cli: CommandLine) -> None:
        first = cli.run("token", "server", "--app", "game").ok()
        created = cli.run("token", "server", "--app", "game", "--days", "1", "--json").json
        assert (created["role"], created["app"], created["expires_in_s"], created["token"].count(".")) == (
            "server",
            "game",
            86_400,
            2,
        )
        assert first.err.startswith(f"Created the data folder {cli.data}.")
        for arguments in (("player", "--subject", "alice"), ("server",), ("admin", "--days", "0.5")):
            done = cli.run("token", *arguments, "--app", "game").ok()
            assert len(done.out.split()) == 1
            assert done.out.count(".") == 2
            assert not done.err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("player", "--app", "game"), "--subject"),
            (("player", "--app", "*", "--subject", "a"), "the app id must have 1 to 50"),
            (("server", "--app", "game", "--days", "0"), "--days"),
            (("server", "--app", "game", "--days", "nan"), "--days"),
            (("root", "--app", "game"), "root"),
        ],
    )
    def test_invalid_arguments_create_no_token(self, cli: CommandLine, arguments: tuple[str, ...], words: str) -> None:
        cli.run("token", *arguments).failed(2, words)
        assert not cli.data.exists()


class TestServe:
    def test_stops_cleanly_on_ctrl_c(self, cli: CommandLine) -> None:
        with cli.serving() as served:
            assert served.get("/health/live") is not None
            ended = served.interrupt()
        assert ended.status == 0
        assert "Traceback" not in ended.err
        with cli.serving() as again:
            assert again.process.poll() is None, "the folder is free again"

    def test_demo_page_shows_a_board(self, cli: CommandLine) -> None:
        with cli.serving("--demo", "--port", "0") as served:
            assert served.get("/v1/page")["shown"]["app"] == "demo"
            assert served.interrupt().status == 0

    @pytest.mark.slow
    def test_incomplete_demo_is_completed(self, cli: CommandLine) -> None:
        cli.run("apps", "create", "demo").ok()
        cli.run("actions", "create", "quest", "--app", "demo", "--points", "25").ok()
        with cli.serving("--demo", "--port", "0") as served:
            until(lambda: served.get("/v1/apps/demo/boards/main/top")["total"] > 1, "the board moves")

    @pytest.mark.slow
    def test_demo_moves_and_its_printed_command_scores(self, cli: CommandLine) -> None:
        with cli.serving("--demo", "--port", "0") as served:
            offset = served.get("/v1/apps/demo/boards/main/top")["offset"]
            until(lambda: served.get("/v1/apps/demo/boards/main/top")["offset"] > offset + 2, "the board moves")
            served.wait_for("press Ctrl-C to stop")
            done = subprocess.run(["bash", "-c", served.out], capture_output=True, timeout=BOUND_S, check=True)
            outcome = json.loads(done.stdout)
            assert (outcome["player"], outcome["score"], outcome["rank_state"]) == ("you", 1, "exact")

    def test_second_serve_on_the_same_port_names_the_folder(self, cli: CommandLine) -> None:
        with cli.serving() as served:
            cli.run("serve", "--port", served.url.rpartition(":")[2]).failed(
                2, "another server is using", str(cli.data)
            )

    def test_port_in_use_is_one_line(self, cli: CommandLine) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            cli.run("serve", "--port", port).failed(2, port, "--port")

    def test_unusable_folder_is_one_line(self, cli: CommandLine) -> None:
        (cli.home / "file").write_text("")
        for command in (("serve",), ("migrate",), ("apps", "list"), ("token", "server", "--app", "game")):
            cli.run(*command, "--data", cli.home / "file" / "data").failed(2, str(cli.home / "file" / "data"), "--data")

    @pytest.mark.slow
    def test_folder_of_a_newer_version_is_refused(self, cli: CommandLine) -> None:
        cli.run("apps", "create", "game").ok()
        with closing(sqlite3.connect(cli.data / DATABASE)) as database:
            database.execute("PRAGMA user_version = 99")
        for command in (("serve", "--port", "0"), ("migrate",), ("apps", "list")):
            cli.run(*command).failed(2, str(cli.data), "newer version", "schema 99", "--data")

    def test_locked_folder_is_one_line(self, cli: CommandLine) -> None:
        with cli.serving():
            cli.run("serve", "--port", "0").failed(2, str(cli.data), "--data")
            cli.run("migrate").failed(2, str(cli.data))

    def test_invalid_setting_is_one_line(self, cli: CommandLine) -> None:
        whole = "is not a whole number from 0 to 65535"
        cli.run("serve", "--port", "99999").failed(2, f"--port: '99999' {whole}")
        cli.run("serve", "--port", "http").failed(2, f"--port: 'http' {whole}")
        cli.run("serve", SCOREBOARD_PORT="http").failed(2, f"SCOREBOARD_PORT: 'http' {whole}")
        cli.run("serve", "--prot", "1").failed(2, "Did you mean --port", "scoreboard serve --help")
        cli.run("apps", "list", SCOREBOARD_PROT="1").failed(2, "SCOREBOARD_PROT", "SCOREBOARD_PORT")

    def test_migrate_prints_applied_migrations(self, cli: CommandLine) -> None:
        assert cli.run("migrate").ok().out.split()
        again = cli.run("migrate").ok()
        assert not again.out
        assert "up to date" in again.err
        assert cli.run("migrate", "--json").json == {"applied": []}


def test_closed_pipe_prints_no_error(cli: CommandLine) -> None:
    cli.run("apps", "create", "game").ok()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [COMMAND, "apps", "list", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=BOUND_S,
        env=cli.environment,
        check=False,
    )
    os.close(writing)
    assert done.returncode != 0
    assert not done.stderr


def test_closed_streams_are_accepted(cli: CommandLine) -> None:
    """Start as some service managers do, without standard streams."""
    closing = 'exec "$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", closing, "-", COMMAND, "apps", "list"], timeout=BOUND_S, env=cli.environment, check=False
    )
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_line(cli: CommandLine) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "apps", "list", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=BOUND_S,
            env=cli.environment,
            check=False,
        )
    Ended(done.returncode, "", done.stderr.decode()).failed(1, "No space left")


def test_json_output_has_no_notes(cli: CommandLine) -> None:
    done = cli.run("apps", "create", "game", "--json").ok()
    assert json.loads(done.out)["app"] == "game"
    assert not done.err
