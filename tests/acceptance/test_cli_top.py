"""`scoreboard top`: a board for people and programs."""

from pathlib import Path

import pytest

from scoreboard.client import Scoreboard, Update
from tests.acceptance.command_line import CommandLine, Served
from tests.acceptance.terminal import at_terminal, plain

pytestmark = pytest.mark.slow


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def create_board(cli: CommandLine, *options: str) -> str:
    """Create a board, and return a server token of its app."""
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game", *options).ok()
    return cli.run("token", "server", "--app", "game").ok().out.strip()


def play(served: Served, token: str, *updates: Update) -> None:
    with Scoreboard(served.url, app="game", token=token) as scoreboard:
        scoreboard.update_many("main", updates)


def test_table_for_people(cli: CommandLine) -> None:
    token = create_board(cli)
    cli.run("players", "create", "p-7", "--app", "game", "--username", "Zoë Q.").ok()
    with cli.serving() as served:
        play(served, token, Update("p-7", increment=1_234_567), Update("bob", increment=-5))
        out = cli.run("top", "main", "--app", "game").ok().out
    assert [line.split() for line in out.splitlines() if line.strip()] == [
        ["game/main", "all", "time,", "world,", "2", "players"],
        ["rank", "player", "score"],
        ["─" * len("rank   player                     score")],
        ["1", "Zoë", "Q.", "p-7", "1,234,567"],
        ["2", "bob", "-5"],
    ]
    assert "\x1b" not in out
    lines = [line.rstrip() for line in out.splitlines()[-2:]]
    assert len(lines[0]) == len(lines[1]), "scores are aligned"
    alone = cli.run("top", "main", "--app", "game").ok().out
    assert alone == out, "without a serve, the folder is opened"


def test_table_fits_80_columns(cli: CommandLine) -> None:
    token = create_board(cli)
    cli.run("players", "create", "long", "--app", "game", "--username", "W" * 100).ok()
    with cli.serving() as served:
        play(served, token, Update("long", increment=2**53 - 1), *(Update(f"p{n}", increment=n) for n in range(1_100)))
        with at_terminal(cli, "top", "main", "--app", "game", "--limit", "12") as terminal:
            assert terminal.wait() == 0
    assert "\x1b[1m" in terminal.written, "it has colours"
    lines = plain(terminal.written)
    assert max(map(len, lines)) <= 80
    (long,) = [line for line in lines if "WWW" in line]
    assert long.endswith("9,007,199,254,740,991"), "a long name is cut, a score never"
    assert "Showing 12 of 1,101; for more, add: --limit 120" in lines


def test_json_equals_the_api_response(cli: CommandLine) -> None:
    token = create_board(cli, "--max-value", str(2**63 - 1), "--region", "eu")
    with cli.serving() as served:
        play(served, token, Update("alice", increment=7, region="eu"), Update("bob", increment=9))
        options = ("--region", "eu", "--season", "all", "--limit", "1")
        printed = cli.run("top", "main", "--app", "game", *options, "--json").json
        assert printed == served.get("/v1/apps/game/boards/main/top?region=eu&season=all&limit=1")
    assert [entry["player"] for entry in printed["entries"]] == ["alice"]


def test_an_empty_board(cli: CommandLine) -> None:
    create_board(cli)
    done = cli.run("top", "main", "--app", "game").ok()
    assert "0 players" in done.out
    assert "There are no scores yet." in done.err


def test_public_boards_need_no_token(cli: CommandLine, tmp_path: Path) -> None:
    token = create_board(cli)
    cli.run("boards", "create", "secret", "--app", "game", "--no-public").ok()
    with cli.serving() as served:
        play(served, token, Update("alice", increment=7))
        there = ("--app", "game", "--url", served.url)
        assert "alice" in cli.run("top", "main", *there).ok().out
        cli.run("top", "secret", *there).failed(1, "token_missing", "--token")
        assert "0 players" in cli.run("top", "secret", *there, "--token", token).ok().out
        cli.run("top", "secret", *there, "--token", "a b").failed(2, "line break")


def test_error_is_one_line(cli: CommandLine) -> None:
    create_board(cli)
    cli.run("top", "mian", "--app", "game").failed(1, "board_not_found", "scoreboard boards list")
    cli.run("top", "main", "--app", "game", "--limit", "0").failed(1, "limit")
    cli.run("top", "main", "--app", "game", "--season", "2026-W47").failed(1, "invalid_season")
    cli.run("top", "main", "--app", "game", "--region", "eu").failed(1, "region_not_found")
    cli.run("top", "main").failed(2, "--app")
    cli.run("top", "main", "--app", "game", "--url", "http://127.0.0.1:1").failed(
        1, "no response from http://127.0.0.1:1"
    )
