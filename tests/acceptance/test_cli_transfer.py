"""`scoreboard export` and `import`: equal standings, also after failures."""

import csv
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import COMMAND, CommandLine, Running, Served, until
from tests.acceptance.events import as_csv, events, expected

MAIN, COPY = ("--app", "game", "--board", "main"), ("--app", "copy", "--board", "main")
FILES = ("rows.csv", "rows.ndjson", "rows.csv.gz", "rows.jsonl.gz")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def served(cli: CommandLine) -> Iterator[Served]:
    with cli.serving() as serving:
        yield serving


def source(cli: CommandLine, rows: int, seed: int = 1, **rules: str) -> list[tuple[str, int]]:
    """Create a board with a ledger and an app to copy it to, and return its standings."""
    options = [part for name, value in rules.items() for part in (f"--{name}", value)]
    for app in ("game", "copy"):
        cli.run("apps", "create", app).ok()
        cli.run("boards", "create", "main", "--app", app, *options).ok()
    played = events(rows, seed)
    cli.run("replay", as_csv(cli.home / "events", played), *MAIN).ok()
    return expected(played, rules.get("operator", "increment"))


def entries(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def top(served: Served, app: str) -> Any:
    """Return the entries of the board with the fields that decide ties."""
    return served.get(f"/v1/apps/{app}/boards/main/top?limit=1000")["entries"]


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["increment", "best", "latest"])
def test_imported_ledger_gives_the_same_standings(cli: CommandLine, served: Served, operator: str) -> None:
    standings = source(cli, 2_500, operator=operator)
    for number, name in enumerate(FILES):
        file = cli.home / name
        report = cli.run("export", "ledger", file, *MAIN, "--json").json
        assert (report["rows"], report["file"]) == (2_500, str(file))
        done = cli.run("import", "ledger", file, *COPY, "--json").json
        kind = "applied" if number == 0 else "replayed"
        assert (done["rows"], done.get(kind), done["refused"]) == (2_500, 2_500, {})
        assert served.standings("copy", "main") == standings
        assert top(served, "copy") == top(served, "game"), "ties and times are kept"
    copied = cli.home / "copied.ndjson"
    cli.run("export", "ledger", copied, *COPY).ok()
    kept = ("accepted_at", "season", "region", "player", "value", "score", "previous_score")
    original = entries(cli.home / "rows.ndjson")
    assert [[e[k] for k in kept] for e in entries(copied)] == [[e[k] for k in kept] for e in original]
    assert sorted(e["event"] for e in original) == [e["event"] for e in original]


@pytest.mark.slow
def test_app_is_copied_through_pipes(cli: CommandLine, tmp_path: Path) -> None:
    standings = source(cli, 500, operator="best")
    cli.run("actions", "create", "coin", "--app", "game", "--points", "-3", "--per-day", "2").ok()
    cli.run("players", "create", "=1+1", "--app", "game", "--username", '@me, "you"', "--email", "a@example.com").ok()
    remote = CommandLine(tmp_path / "remote")
    remote.home.mkdir()
    remote.run("apps", "create", "new").ok()
    for form in ("csv", "ndjson"):
        for what in ("boards", "actions", "players"):
            exported = cli.run("export", what, "-", "--app", "game", "--format", form).ok()
            assert not exported.err
            remote.run("import", what, "-", "--app", "new", given=exported.out).ok()
        exported = cli.run("export", "ledger", "-", *MAIN, "--format", form).ok()
        remote.run("import", "ledger", "-", "--app", "new", "--board", "main", given=exported.out).ok()
    for what, word in (("boards", "board"), ("actions", "action"), ("players", "player")):
        there = remote.run(what, "list", "--app", "new", "--json").json
        assert there == cli.run(what, "list", "--app", "game", "--json").json
        assert there[0][word]
    with remote.serving() as serving:
        assert serving.standings("new", "main") == standings


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["kept", "lost"])
def test_killed_import_resumes_and_counts_once(cli: CommandLine, served: Served, progress: str) -> None:
    standings = source(cli, 30_000, 2)
    file = cli.home / "main.csv.gz"
    cli.run("export", "ledger", file, *MAIN).ok()
    last = 0
    for _ in range(3):
        with cli.started("import", "ledger", file, *COPY) as importing:
            _wait_for_progress(cli, importing, last)
            importing.kill()
        last = confirmed(cli)
    assert 0 < last <= 30_000
    if progress == "lost":
        for saved in cli.state.rglob("*.json"):
            saved.unlink()
    done = cli.run("import", "ledger", file, *COPY, "--json")
    report = done.json
    if progress == "kept":
        assert f"Continuing after row {last:,}" in done.err
        assert (report["confirmed_before"], report["rows"]) == (last, 30_000 - last)
    else:
        assert (report["confirmed_before"], report["rows"]) == (0, 30_000)
        assert report["replayed"] >= last
    assert served.standings("copy", "main") == standings
    assert top(served, "copy") == top(served, "game")
    assert confirmed(cli) == 0, "the progress of a finished import is deleted"


def _wait_for_progress(cli: CommandLine, importing: Running, last: int) -> None:
    """Wait until more rows than `last` are confirmed, or the import has ended."""
    until(lambda: confirmed(cli) > last or importing.process.poll() is not None, "progress")


def confirmed(cli: CommandLine) -> int:
    files = list(cli.state.glob("scoreboard/import-*/*.json"))
    assert len(files) <= 1
    return int(json.loads(files[0].read_text())["last"]) if files else 0


@pytest.mark.slow
def test_import_waits_for_a_restarted_server(cli: CommandLine) -> None:
    with cli.serving() as first:
        standings = source(cli, 30_000, 3)
        file = cli.home / "main.ndjson"
        cli.run("export", "ledger", file, *MAIN).ok()
        with cli.started("import", "ledger", file, *COPY, "--json") as importing:
            until(lambda: confirmed(cli) > 0, "some rows are confirmed")
            first.kill()
            importing.wait_for("Trying again")
            with cli.serving() as second:
                report = importing.wait().json
                assert (report["rows"], report["refused"]) == (30_000, {})
                assert second.standings("copy", "main") == standings


@pytest.mark.slow
def test_interrupted_import_prints_its_row(cli: CommandLine, served: Served) -> None:
    source(cli, 30_000, 4)
    file = cli.home / "main.ndjson"
    cli.run("export", "ledger", file, *MAIN).ok()
    with cli.started("import", "ledger", file, *COPY) as importing:
        until(lambda: confirmed(cli) > 0, "some rows are confirmed")
        ended = importing.interrupt()
    assert ended.status == 130
    assert "Interrupted: stopped after row " in ended.err
    assert "Traceback" not in ended.err
    assert "Continuing after row" in cli.run("import", "ledger", file, *COPY).ok().err


@pytest.mark.slow
def test_progress_of_a_deleted_board_is_ignored(cli: CommandLine, served: Served) -> None:
    standings = source(cli, 30_000, 5)
    file = cli.home / "main.ndjson"
    cli.run("export", "ledger", file, *MAIN).ok()
    with cli.started("import", "ledger", file, *COPY) as importing:
        until(lambda: confirmed(cli) > 0, "some rows are confirmed")
        importing.kill()
    cli.run("boards", "delete", "main", "--app", "copy", "--yes").ok()
    cli.run("boards", "create", "main", "--app", "copy").ok()
    report = cli.run("import", "ledger", file, *COPY, "--json").json
    assert (report["confirmed_before"], report["applied"]) == (0, 30_000)
    assert served.standings("copy", "main") == standings


@pytest.mark.slow
def test_killed_export_leaves_the_old_file(cli: CommandLine, served: Served) -> None:
    source(cli, 30_000, 6)
    file = cli.home / "main.csv"
    file.write_text("the old content")
    with cli.started("export", "ledger", file, *MAIN) as exporting:
        until(lambda: draft_bytes(file) > 0 or exporting.process.poll() is not None, "some rows are written")
        exporting.kill()
    if exporting.process.returncode:
        assert file.read_text() == "the old content"
    cli.run("export", "ledger", file, *MAIN).ok()
    with file.open(newline="") as text:
        assert len(list(csv.reader(text))) == 30_001
    assert not draft_bytes(file)


def draft_bytes(file: Path) -> int:
    draft = file.with_name(file.name + ".part")
    return draft.stat().st_size if draft.exists() else 0


@pytest.mark.slow
def test_rows_create_update_or_keep_players(cli: CommandLine, served: Served) -> None:
    cli.run("apps", "create", "game").ok()
    file = cli.home / "players.csv"
    file.write_text("player,username,region\nann,Ann,eu\nbob,,\ncleo,Cleo,\n")
    take = ("import", "players", file, "--app", "game")
    assert cli.run(*take, "--json").json["created"] == 3
    assert cli.run(*take, "--json").json["unchanged"] == 3
    cli.run("players", "update", "ann", "--app", "game", "--email", "ann@example.com").ok()
    file.write_text("player,username,region\nann,Anna,\nbob,,us\ncleo,Cleo,\n")
    report = cli.run(*take, "--json").json
    assert (report["updated"], report["unchanged"]) == (2, 1)
    ann, bob, _ = cli.run("players", "list", "--app", "game", "--json").json
    assert ann == {"player": "ann", "username": "Anna", "region": None, "email": "ann@example.com", "avatar_url": None}
    assert (bob["username"], bob["region"]) == ("bob", "us")
    file.write_text("player,region\nann,eu\nann,us\nann,\n")
    cli.run(*take).ok()
    assert cli.run("players", "show", "ann", "--app", "game", "--json").json["region"] is None, "in the file's order"


@pytest.mark.slow
def test_import_does_not_change_ranking_rules(cli: CommandLine, served: Served) -> None:
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game").ok()
    refused = cli.run("import", "boards", "-", "--app", "game", given='{"board":"main","operator":"best","top_n":5}\n')
    assert refused.status == 1
    assert "operator is increment on the server, not best, and cannot be changed (first in line 1)" in refused.out
    assert refused.err.splitlines()[-1] == "scoreboard: 1 of 1 row refused by the server"
    assert cli.run("boards", "show", "main", "--app", "game", "--json").json["top_n"] == 10


@pytest.mark.parametrize(
    ("what", "content", "message"),
    [
        ("players", "name\nann\n", "unknown column 'name'; allowed columns: player,username"),
        ("players", "username\nann\n", "missing column 'player'"),
        ("players", "player,player\nann,b\n", "'player'"),
        ("players", "player\n\xffann\n", "rows:2: the line is not UTF-8"),
        ("players", 'player\n"ann\n', "rows:2: a quote is not closed"),
        ("players", "player,email\nann\n", "rows:2: the number of columns is 1, but the header has 2"),
        ("players", '{"player": 5}\n', "rows:1: 'player' must be text"),
        ("players", '{"player": "a"}\n\n{}\n', "rows:3: 'player' is missing"),
        ("players", '{"player": "a", "mail": "x"}\n', "rows:1: unknown field 'mail'"),
        ("players", "{\n", "rows:1: the line is not a JSON object in UTF-8"),
        ("boards", "board,operator\nmain,bets\n", "rows:2: 'operator' cannot be 'bets'"),
        ("boards", "board,public\nmain,perhaps\n", "rows:2: 'public' must be true or false"),
        ("actions", "action,points\nwin,1.5\n", "rows:2: 'points' must be a whole number"),
        ("actions", "action,points\nwin,\n", "rows:2: 'points' is missing"),
        ("ledger", "event,player\nx,ann\n", "rows:2: 'value' is missing"),
        ("ledger", "event,player,value,metadata\nx,ann,1,{\n", "rows:2: "),
        ("ledger", "\x1f\x8b\x00", "is damaged"),
    ],
)
def test_invalid_file_is_one_line_and_sends_nothing(cli: CommandLine, what: str, content: str, message: str) -> None:
    file = cli.home / "rows"
    file.write_bytes(content.encode("latin-1"))
    board = ("--board", "main") if what == "ledger" else ()
    cli.run("import", what, file, "--app", "game", *board).failed(2, str(file), message)
    assert not cli.data.exists()


def test_file_without_rows_is_accepted(cli: CommandLine) -> None:
    cli.run("apps", "create", "game").ok()
    for form in ("csv", "ndjson"):
        nobody = cli.run("export", "players", "-", "--app", "game", "--format", form).ok().out
        assert cli.run("import", "players", "-", "--app", "game", "--json", given=nobody).json["rows"] == 0


def test_unusable_file_name_is_one_line(cli: CommandLine) -> None:
    cli.run("apps", "create", "game").ok()
    cli.run("import", "players", "nix.csv", "--app", "game").failed(2, "nix.csv does not exist")
    cli.run("import", "players", cli.home, "--app", "game").failed(2, "is not a regular file")
    cli.run("export", "players", "players.xls", "--app", "game").failed(2, ".csv or .ndjson", "--format")
    cli.run("export", "players", cli.home / "no" / "players.csv", "--app", "game").failed(1, "cannot write")
    cli.run("export", "players", "-", "--app", "game", "--json").failed(2, "--json")
    os.mkfifo(cli.home / "pipe.csv")  # as /dev/stdout and /dev/null, which must not be replaced by a file
    cli.run("export", "players", cli.home / "pipe.csv", "--app", "game").failed(2, "not a regular file", "stdout")
    assert (cli.home / "pipe.csv").is_fifo()
    cli.run("export", "players", "-", "--app", "nix").failed(1, "app_not_found")
    cli.run("import", "players", "-", "--app", "game", "--patience", "nan", given="").failed(
        2, "--patience", "0 seconds or more"
    )
    nothing = cli.home / "players.csv"
    cli.run("export", "players", nothing, "--app", "nix").failed(1, "app_not_found")
    assert not nothing.exists()
    assert not draft_bytes(nothing)


def test_import_into_a_missing_app_stops_without_retries(cli: CommandLine) -> None:
    players = "player\n" + "".join(f"p{number}\n" for number in range(50))
    ended = cli.run("import", "players", "-", "--app", "nix", given=players)
    ended.failed(1, "app_not_found")
    assert "Trying again" not in ended.err


@pytest.mark.slow
def test_bad_row_of_stdin_stops_after_the_rows_before(cli: CommandLine) -> None:
    cli.run("apps", "create", "game").ok()
    good = "".join(json.dumps({"player": f"p{n:03}"}) + "\n" for n in range(100))
    failed = cli.run("import", "players", "-", "--app", "game", given=good + "{}\n")
    failed.failed(1, "stdin:101: 'player' is missing", "stopped after row 64", "run the same command again")
    assert cli.run("import", "players", "-", "--app", "game", "--json", given=good).json["unchanged"] == 64


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_is_independent_of_the_number_of_rows(cli: CommandLine) -> None:
    with cli.serving():
        source(cli, 5_000, 7)
        few = peak_kib(cli, "export", "ledger", str(cli.home / "few.csv"), *MAIN)
        cli.run("replay", as_csv(cli.home / "more", events(75_000, 8)), *MAIN).ok()
        many = peak_kib(cli, "export", "ledger", str(cli.home / "many.csv"), *MAIN)
        taken = peak_kib(cli, "import", "ledger", str(cli.home / "many.csv"), *COPY)
    assert (cli.home / "many.csv").stat().st_size > 15 * (cli.home / "few.csv").stat().st_size
    assert many < few + 10_000
    assert taken < few + 20_000


def peak_kib(cli: CommandLine, *arguments: str) -> int:
    """Return the peak memory of a command in KiB; `wait4` would include its parent."""
    peak = 0
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.DEVNULL, env=cli.environment) as process:
        while process.poll() is None:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak = int(found[1]) if found else peak
            time.sleep(0.01)
    assert process.returncode == 0
    return peak
