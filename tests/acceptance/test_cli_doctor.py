"""`scoreboard doctor` and `rebuild`: what is wrong is found, said and mended; what is well is not accused."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scoreboard.domain import event_id
from tests.acceptance.command_line import CommandLine, Ended
from tests.acceptance.events import as_csv, events, expected

MAIN = ("--app", "game", "--board", "main")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    line = CommandLine(tmp_path)
    line.run("apps", "create", "game").ok()
    line.run("boards", "create", "main", "--app", "game").ok()
    line.run("replay", as_csv(tmp_path / "events", events(300, 1)), *MAIN).ok()
    return line


@contextmanager
def store(cli: CommandLine) -> Iterator[sqlite3.Connection]:
    """The database, for what only a fault would do to it."""
    connection = sqlite3.connect(cli.data / "scoreboard.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def findings(done: Ended, state: str) -> list[dict[str, Any]]:
    assert "Traceback" not in done.err
    told = json.loads(done.out)
    assert told["ok"] == (done.status == 0) == (not any(one["state"] == "problem" for one in told["findings"]))
    return [one for one in told["findings"] if one["state"] == state]


def problem(done: Ended) -> str:
    """The one problem, in words."""
    assert done.status == 1
    assert done.err.splitlines()[-1] == "scoreboard: 1 problem found"
    (found,) = findings(done, "problem")
    assert found["remedy"]
    return f"{found['check']}: {found['text']} {found['remedy']}"


@pytest.mark.slow
@pytest.mark.parametrize("serve", ["alone", "beside"])
def test_finds_nothing_wrong_where_nothing_is(cli: CommandLine, serve: str) -> None:
    if serve == "alone":
        done = cli.run("doctor").ok()
        assert "no server runs on this folder" in done.out
    else:
        with cli.serving() as served:
            done = cli.run("doctor").ok()
            assert f"{served.url} is ready" in done.out
    assert "game/main: 300 ledger entries match 44 standings" in done.out
    assert "problem" not in done.out
    assert "\x1b" not in done.out


@pytest.mark.slow
def test_makes_and_changes_nothing(cli: CommandLine, tmp_path: Path) -> None:
    fresh = CommandLine(tmp_path / "fresh")
    fresh.home.mkdir()
    assert "does not exist yet" in fresh.run("doctor").ok().out
    assert list(fresh.home.iterdir()) == []
    before = {path.name: path.read_bytes() for path in cli.data.iterdir()}
    cli.run("doctor").ok()
    after = {path.name: path.read_bytes() for path in cli.data.iterdir()}
    assert after["scoreboard.db"] == before["scoreboard.db"]
    assert after["token.key"] == before["token.key"]


@pytest.mark.slow
def test_a_key_that_others_may_read_is_a_problem(cli: CommandLine) -> None:
    (cli.data / "token.key").chmod(0o644)
    assert "chmod 600" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_a_damaged_store_is_a_problem_and_not_opened(cli: CommandLine) -> None:
    path = cli.data / "scoreboard.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8_192)
    assert "restore a backup" in problem(cli.run("doctor", "--json"))
    path.write_bytes(b"no database at all" * 1_000)
    assert "cannot be read" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_a_store_of_another_version_is_told(cli: CommandLine) -> None:
    with store(cli) as database:
        database.execute("PRAGMA user_version = 99")
    assert "newer Scoreboard" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_a_clock_that_went_back_is_a_problem(cli: CommandLine) -> None:
    with store(cli) as database:
        later = event_id.make((int(time.time()) + 3_600) * 1_000_000, 0)
        database.execute("UPDATE ledger SET event = ? WHERE event = (SELECT max(event) FROM ledger)", (later,))
    assert "NTP" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_a_total_that_is_not_what_the_ledger_comes_to_is_a_problem_until_it_is_mended(cli: CommandLine) -> None:
    with store(cli) as database:
        database.execute("UPDATE standings SET score = score + 1 WHERE player = 7")
        (player,) = database.execute("SELECT player FROM players WHERE number = 7").fetchone()
    assert player in problem(cli.run("doctor", "--json"))
    with cli.serving() as served:
        told = problem(cli.run("doctor", "--json"))
        assert player in told
        assert "scoreboard rebuild --app game --board main" in told
        with store(cli) as database:
            database.execute("UPDATE standings SET score = score - 1 WHERE player = 7")
        assert served.standings("game", "main") != expected(events(300, 1)), "it is still in the ranking"
        (made,) = cli.run("rebuild", *MAIN, "--json").json
        assert made == {"app": "game", "board": "main", "tables": 1, "standings": 44}
        assert served.standings("game", "main") == expected(events(300, 1))
        cli.run("doctor").ok()


@pytest.mark.slow
def test_a_board_that_is_updated_meanwhile_is_not_accused(cli: CommandLine) -> None:
    file = as_csv(cli.home / "more", events(100_000, 2))
    with cli.serving(), cli.started("replay", file, *MAIN, "--speed", "500") as replaying:
        for _ in range(3):
            cli.run("doctor").ok()
            cli.run("rebuild").ok()
        assert replaying.process.poll() is None, "updates went on"
        replaying.interrupt()


@pytest.mark.slow
def test_a_large_ledger_is_left_alone(cli: CommandLine) -> None:
    assert (
        "not compared, as its ledger has more than 100 entries" in cli.run("doctor", "--most-entries", "100").ok().out
    )


@pytest.mark.slow
def test_a_server_elsewhere_is_looked_at_from_here(cli: CommandLine) -> None:
    token = cli.run("token", "admin", "--app", "*").ok().out.strip()
    with cli.serving() as served:
        done = cli.run("doctor", "--url", served.url, "--token", token).ok()
        assert "game/main: 300 ledger entries" in done.out
        assert "folder" not in done.out
        assert "token_invalid" in problem(cli.run("doctor", "--url", served.url, "--token", "x", "--json"))
        served.kill()
        assert "no response from" in problem(cli.run("doctor", "--url", served.url, "--token", token, "--json"))


@pytest.mark.slow
def test_rebuild_says_what_it_did(cli: CommandLine) -> None:
    cli.run("boards", "create", "empty", "--app", "game").ok()
    alone = cli.run("rebuild").ok()
    assert "No server runs" in alone.err
    assert cli.run("rebuild", "--json").json == []
    with cli.serving():
        assert [(one["board"], one["standings"]) for one in cli.run("rebuild", "--json").json] == [
            ("empty", 0),
            ("main", 44),
        ]
        assert "44" in cli.run("rebuild", "--app", "game").ok().out
        cli.run("rebuild", "--app", "nix").failed(1, "app_not_found")
        cli.run("rebuild", "--app", "game", "--board", "nix").failed(1, "board_not_found")
    cli.run("rebuild", "--board", "main").failed(2, "--board needs --app")
