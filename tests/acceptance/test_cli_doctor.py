"""`scoreboard doctor` and `rebuild`: problems are reported and fixed."""

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
    """Open the database, to change it as only a fault would."""
    connection = sqlite3.connect(cli.data / "scoreboard.db", isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def findings(done: Ended, state: str) -> list[dict[str, Any]]:
    assert "Traceback" not in done.err
    report = json.loads(done.out)
    assert report["ok"] == (done.status == 0) == (not any(one["state"] == "problem" for one in report["findings"]))
    return [one for one in report["findings"] if one["state"] == state]


def problem(done: Ended) -> str:
    """Return the text of the only problem."""
    assert done.status == 1
    assert done.err.splitlines()[-1] == "scoreboard: 1 problem found"
    (found,) = findings(done, "problem")
    assert found["remedy"]
    return f"{found['check']}: {found['text']} {found['remedy']}"


@pytest.mark.slow
@pytest.mark.parametrize("serve", ["alone", "served"])
def test_sound_installation_has_no_problems(cli: CommandLine, serve: str) -> None:
    if serve == "alone":
        done = cli.run("doctor").ok()
        assert "no server is running on this folder" in done.out
    else:
        with cli.serving() as served:
            done = cli.run("doctor").ok()
            assert f"{served.url} is ready" in done.out
    assert "game/main: 300 ledger entries match 44 standings" in done.out
    assert "problem" not in done.out
    assert "\x1b" not in done.out


@pytest.mark.slow
def test_changes_no_files(cli: CommandLine, tmp_path: Path) -> None:
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
def test_readable_signing_key_is_a_problem(cli: CommandLine) -> None:
    (cli.data / "token.key").chmod(0o644)
    assert "chmod 600" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_damaged_database_is_a_problem(cli: CommandLine) -> None:
    path = cli.data / "scoreboard.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8_192)
    assert "restore a backup" in problem(cli.run("doctor", "--json"))
    path.write_bytes(b"no database at all" * 1_000)
    assert "cannot be read" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_database_of_a_newer_version_is_a_problem(cli: CommandLine) -> None:
    with store(cli) as database:
        database.execute("PRAGMA user_version = 99")
    assert "newer Scoreboard" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_clock_set_back_is_a_problem(cli: CommandLine) -> None:
    with store(cli) as database:
        later = event_id.make((int(time.time()) + 3_600) * 1_000_000, 0)
        database.execute("UPDATE ledger SET event = ? WHERE event = (SELECT max(event) FROM ledger)", (later,))
    assert "NTP" in problem(cli.run("doctor", "--json"))


@pytest.mark.slow
def test_drift_is_a_problem_until_it_is_fixed(cli: CommandLine) -> None:
    with store(cli) as database:
        database.execute("UPDATE standings SET score = score + 1 WHERE player = 7")
        (player,) = database.execute("SELECT player FROM players WHERE number = 7").fetchone()
    assert player in problem(cli.run("doctor", "--json"))
    with cli.serving() as served:
        text = problem(cli.run("doctor", "--json"))
        assert player in text
        assert "scoreboard rebuild --app game --board main" in text
        with store(cli) as database:
            database.execute("UPDATE standings SET score = score - 1 WHERE player = 7")
        assert served.standings("game", "main") != expected(events(300, 1)), "the ranking is not repaired yet"
        (rebuilt,) = cli.run("rebuild", *MAIN, "--json").json
        assert rebuilt == {"app": "game", "board": "main", "tables": 1, "standings": 44}
        assert served.standings("game", "main") == expected(events(300, 1))
        cli.run("doctor").ok()


@pytest.mark.slow
def test_updates_during_the_check_are_no_drift(cli: CommandLine) -> None:
    file = as_csv(cli.home / "more", events(100_000, 2))
    with cli.serving(), cli.started("replay", file, *MAIN, "--speed", "500") as replaying:
        for _ in range(3):
            cli.run("doctor").ok()
            cli.run("rebuild").ok()
        assert replaying.process.poll() is None, "updates continued"
        replaying.interrupt()


@pytest.mark.slow
def test_large_ledger_is_not_compared(cli: CommandLine) -> None:
    assert (
        "not compared, as its ledger has more than 100 entries" in cli.run("doctor", "--most-entries", "100").ok().out
    )


@pytest.mark.slow
def test_remote_server_is_checked_over_http(cli: CommandLine) -> None:
    token = cli.run("token", "admin", "--app", "*").ok().out.strip()
    with cli.serving() as served:
        done = cli.run("doctor", "--url", served.url, "--token", token).ok()
        assert "game/main: 300 ledger entries" in done.out
        assert "folder" not in done.out
        assert "token_invalid" in problem(cli.run("doctor", "--url", served.url, "--token", "x", "--json"))
        served.kill()
        assert "no response from" in problem(cli.run("doctor", "--url", served.url, "--token", token, "--json"))


@pytest.mark.slow
def test_rebuild_prints_rebuilt_boards(cli: CommandLine) -> None:
    cli.run("boards", "create", "empty", "--app", "game").ok()
    alone = cli.run("rebuild").ok()
    assert "No server is running" in alone.err
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
