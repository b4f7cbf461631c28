"""`scoreboard replay`: each row counts once and in order, also after failures."""

from pathlib import Path

import pytest

from scoreboard.cli.transfer import files, importer
from scoreboard.cli.transfer.replay import Event as Item
from scoreboard.cli.transfer.rows import Row
from tests.acceptance.command_line import CommandLine, Running, until
from tests.acceptance.events import Event, as_csv, as_gzip, as_ndjson, events, expected
from tests.acceptance.scripted_server import scripted

TARGET = ("--app", "game", "--board", "main")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def standings(cli: CommandLine) -> list[tuple[str, int]]:
    """Start a server and return the standings of the board."""
    with cli.serving() as served:
        return served.standings("game", "main")


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["increment", "best", "latest"])
def test_standings_equal_a_reference_computation(cli: CommandLine, tmp_path: Path, operator: str) -> None:
    played = events(2_500, 1)
    file = as_csv(tmp_path / "events", played)
    done = cli.run("replay", file, *TARGET, "--create", "--operator", operator, "--json").json
    assert (done["rows"], done["applied"], done["replayed"], done["refused"]) == (2_500, 2_500, 0, {})
    assert standings(cli) == expected(played, operator)


@pytest.mark.slow
def test_all_file_formats_give_the_same_standings(cli: CommandLine, tmp_path: Path) -> None:
    played = events(1_200, 2)
    csv, ndjson = as_csv(tmp_path / "a", played), as_ndjson(tmp_path / "b", played)
    with cli.serving() as served:
        for number, file in enumerate([csv, ndjson, as_gzip(csv), as_gzip(ndjson)]):
            target = ("--app", "game", "--board", f"board-{number}")
            assert "1,200  applied" in cli.run("replay", file, *target, "--create").ok().out
            assert served.standings("game", f"board-{number}") == expected(played)


@pytest.mark.slow
def test_file_counts_once(cli: CommandLine, tmp_path: Path) -> None:
    played = events(1_500, 3)
    file = as_csv(tmp_path / "events", played)
    cli.run("replay", file, *TARGET, "--create").ok()
    again = cli.run("replay", file, *TARGET, "--json").json
    assert (again["rows"], again["confirmed_before"]) == (0, 1_500), "nothing was sent"
    from_start = cli.run("replay", file, *TARGET, "--restart", "--json").json
    assert (from_start["applied"], from_start["replayed"]) == (0, 1_500)
    packed = cli.run("replay", as_gzip(file), *TARGET, "--restart", "--json").json
    assert (packed["applied"], packed["replayed"]) == (0, 1_500), "the packed file counts as the same file"
    assert standings(cli) == expected(played)


@pytest.mark.slow
def test_recreated_board_accepts_the_file_under_another_key(cli: CommandLine, tmp_path: Path) -> None:
    played = events(50, 14)
    file = as_csv(tmp_path / "events", played)
    cli.run("replay", file, *TARGET, "--create").ok()
    cli.run("boards", "delete", "main", "--app", "game", "--yes").ok()
    refused = cli.run("replay", file, *TARGET, "--create", "--json")
    assert refused.status == 1
    assert "--key NAME" in refused.err.splitlines()[-1]
    assert cli.run("replay", file, *TARGET, "--key", "second", "--json").json["applied"] == 50
    assert cli.run("replay", file, *TARGET, "--key", "second", "--json").json["rows"] == 0
    assert cli.run("replay", file, *TARGET, "--key", "second", "--restart", "--json").json["replayed"] == 50
    cli.run("replay", file, *TARGET, "--key", "a b").failed(2, "--key")
    assert standings(cli) == expected(played)


@pytest.mark.slow
def test_progress_of_a_deleted_folder_is_ignored(cli: CommandLine, tmp_path: Path) -> None:
    played = events(50, 4)
    file = as_csv(tmp_path / "events", played)
    cli.run("replay", file, *TARGET, "--create").ok()
    cli.data.rename(tmp_path / "elsewhere")
    assert cli.run("replay", file, *TARGET, "--create", "--json").json["applied"] == 50
    assert standings(cli) == expected(played)


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["kept", "lost"])
@pytest.mark.parametrize("serve", ["alone", "served"])
def test_killed_replay_resumes_and_counts_once(cli: CommandLine, tmp_path: Path, serve: str, progress: str) -> None:
    played = events(3_000, 5)
    file = as_csv(tmp_path / "events", played)

    def kill_and_resume() -> None:
        with cli.started("replay", file, *TARGET, "--create", "--speed", "100") as replaying:
            until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
            replaying.kill()
        confirmed = cli.progress()["last"]
        assert 0 < confirmed < 3_000
        if progress == "lost":
            for saved in cli.state.rglob("*.json"):
                saved.unlink()
        done = cli.run("replay", file, *TARGET, "--json").json
        if progress == "lost":
            assert done["rows"] == 3_000
            assert done["replayed"] >= confirmed
        else:
            assert done["confirmed_before"] == confirmed
            assert done["rows"] == 3_000 - confirmed

    if serve == "served":
        with cli.serving() as served:
            kill_and_resume()
            assert served.standings("game", "main") == expected(played)
    else:
        kill_and_resume()
        assert standings(cli) == expected(played)


@pytest.mark.slow
def test_replay_killed_several_times_counts_once(cli: CommandLine, tmp_path: Path) -> None:
    played = events(60_000, 6)
    file = as_ndjson(tmp_path / "events", played)
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game").ok()
    with cli.serving() as served:
        total = 0
        for _ in range(4):
            with cli.started("replay", file, *TARGET) as replaying:
                _wait_for_progress(cli, replaying, total)
                replaying.kill()
            total = cli.progress().get("last", 0)
        cli.run("replay", file, *TARGET).ok()
        assert served.standings("game", "main") == expected(played)


def _wait_for_progress(cli: CommandLine, replaying: Running, last: int) -> None:
    """Wait until more rows than `last` are confirmed, or the replay has ended."""
    until(lambda: cli.progress().get("last", 0) > last or replaying.process.poll() is not None, "progress")


@pytest.mark.slow
def test_replay_waits_for_a_restarted_server(cli: CommandLine, tmp_path: Path) -> None:
    played = events(2_000, 7)
    file = as_csv(tmp_path / "events", played)
    replay = ("replay", file, *TARGET, "--create", "--speed", "200", "--json")
    with cli.serving() as first, cli.started(*replay) as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        first.kill()
        replaying.wait_for("Trying again")
        with cli.serving() as second:
            assert second.url != first.url, "the new address is found"
            done = replaying.wait().json
            assert done["rows"] == 2_000
            assert not done["refused"]
            assert second.standings("game", "main") == expected(played)


@pytest.mark.slow
def test_replay_gives_up_and_is_resumed_later(cli: CommandLine, tmp_path: Path) -> None:
    played = events(3_000, 8)
    file = as_csv(tmp_path / "events", played)
    replay = ("replay", file, *TARGET)
    options = ("--create", "--speed", "200", "--patience", "0.5")
    with cli.serving() as served, cli.started(*replay, *options) as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        served.kill()
        replaying.wait().failed(1, "gave up", "no response", "run the same command again")
    assert cli.run(*replay, "--json").json["rows"] == 3_000 - _stopped_after(replaying)
    assert standings(cli) == expected(played)


def _stopped_after(replaying: Running) -> int:
    """Return the row after which a replay stopped, by its error message."""
    _, _, rest = replaying.err.rpartition("stopped after row ")
    return int(rest.partition(";")[0].replace(",", ""))


@pytest.mark.slow
def test_interrupted_replay_prints_its_row_and_resumes_there(cli: CommandLine, tmp_path: Path) -> None:
    played = events(3_000, 9)
    file = as_csv(tmp_path / "events", played)
    with cli.started("replay", file, *TARGET, "--create", "--speed", "100") as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        ended = replaying.interrupt()
    assert ended.status == 130
    assert "Traceback" not in ended.err
    stopped_after = _stopped_after(replaying)
    assert cli.progress()["last"] == stopped_after
    assert cli.run("replay", file, *TARGET, "--json").json["rows"] == 3_000 - stopped_after
    assert standings(cli) == expected(played)


class TestScriptedServer:
    """Replays to a server that fails as prescribed."""

    def test_batches_keep_order_size_and_keys(self, cli: CommandLine, tmp_path: Path) -> None:
        played = events(2_345, 10)
        file = as_csv(tmp_path / "events", played)
        with scripted("down", "hang up", "apply", "busy") as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t", "--json").json
        assert done["rows"] == done["applied"] == 2_345
        assert server.tokens == {"Bearer t"}
        first, *_ = server.batches
        assert [batch == first for batch in server.batches] == [True, True, True, False, False, False]
        assert [len(batch) for batch in server.batches] == [1_000, 1_000, 1_000, 1_000, 1_000, 345]
        assert server.batches[3] == server.batches[4], "the same batch again"
        sent = [update for place in (2, 4, 5) for update in server.batches[place]]
        assert [(update["player"], update["increment"]) for update in sent] == [event[1:] for event in played]
        digest = files.digest(str(file))
        assert [update["idempotency_key"] for update in sent] == [f"{digest[:16]}-main-{n}" for n in range(1, 2_346)]

    @pytest.mark.parametrize(
        ("operator", "field"), [("increment", "increment"), ("best", "score"), ("latest", "score")]
    )
    def test_operator_of_the_board_selects_the_field(
        self, cli: CommandLine, tmp_path: Path, operator: str, field: str
    ) -> None:
        file = as_csv(tmp_path / "events", [Event(1, "a", 5)])
        with scripted(operator=operator) as server:
            cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t").ok()
        assert server.batches[0][0][field] == 5

    def test_refused_batch_stops_the_replay(self, cli: CommandLine, tmp_path: Path) -> None:
        file = as_csv(tmp_path / "events", events(1_500, 11))
        with scripted("apply", "broken") as server:
            failed = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t")
        failed.failed(1, "server_only", "stopped after row 1,000")

    def test_refused_rows_are_counted_with_their_reasons(self, cli: CommandLine, tmp_path: Path) -> None:
        file = as_csv(tmp_path / "events", [Event(1, "a", 1), Event(2, "nobody", 1), Event(3, "b", 1)])
        with scripted() as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t")
        assert done.status == 1
        assert "2  applied" in done.out
        assert "1  refused: out_of_bounds: too much" in done.out
        assert done.err.splitlines()[-1].startswith("scoreboard: 1 of 3 rows refused")

    def test_unwritable_progress_does_not_stop_the_replay(self, cli: CommandLine, tmp_path: Path) -> None:
        cli.state.write_text("a file where a folder should be")
        file = as_csv(tmp_path / "events", events(10, 12))
        with scripted() as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t").ok()
        assert "10  applied" in done.out
        assert "Cannot store progress" in done.err


@pytest.mark.parametrize("speed", [None, 1e9])
async def test_batches_contain_all_rows_in_order(speed: float | None) -> None:
    every = [Row(n, n, Item(1_000.0 * (n % 7), "a", n), frozenset()) for n in range(2_500)]
    gathered = [batch async for batch in importer.batches(every, 1_000, speed)]
    assert [row for batch in gathered for row in batch] == every
    assert all(0 < len(batch) <= 1_000 for batch in gathered)
