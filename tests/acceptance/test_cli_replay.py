"""`scoreboard replay`: each row of a file counts once, in the file's order, whatever happens on the way."""

from pathlib import Path

import pytest

from scoreboard.cli.transfer import files, pace
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
    """Of the board, read from a server that is started for it."""
    with cli.serving() as served:
        return served.standings("game", "main")


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["increment", "best", "latest"])
def test_gives_what_a_plain_computation_gives(cli: CommandLine, tmp_path: Path, operator: str) -> None:
    played = events(2_500, 1)
    file = as_csv(tmp_path / "events", played)
    done = cli.run("replay", file, *TARGET, "--create", "--operator", operator, "--json").json
    assert (done["rows"], done["applied"], done["replayed"], done["refused"]) == (2_500, 2_500, 0, {})
    assert standings(cli) == expected(played, operator)


@pytest.mark.slow
def test_every_kind_of_file_is_the_same_to_it(cli: CommandLine, tmp_path: Path) -> None:
    played = events(1_200, 2)
    csv, ndjson = as_csv(tmp_path / "a", played), as_ndjson(tmp_path / "b", played)
    with cli.serving() as served:
        for number, file in enumerate([csv, ndjson, as_gzip(csv), as_gzip(ndjson)]):
            target = ("--app", "game", "--board", f"board-{number}")
            assert "1,200  applied" in cli.run("replay", file, *target, "--create").ok().out
            assert served.standings("game", f"board-{number}") == expected(played)


@pytest.mark.slow
def test_a_file_counts_once(cli: CommandLine, tmp_path: Path) -> None:
    played = events(1_500, 3)
    file = as_csv(tmp_path / "events", played)
    cli.run("replay", file, *TARGET, "--create").ok()
    again = cli.run("replay", file, *TARGET, "--json").json
    assert (again["rows"], again["confirmed_before"]) == (0, 1_500), "nothing was sent"
    from_start = cli.run("replay", file, *TARGET, "--restart", "--json").json
    assert (from_start["applied"], from_start["replayed"]) == (0, 1_500)
    packed = cli.run("replay", as_gzip(file), *TARGET, "--restart", "--json").json
    assert (packed["applied"], packed["replayed"]) == (0, 1_500), "packed it is the same file"
    assert standings(cli) == expected(played)


@pytest.mark.slow
def test_a_board_that_was_made_again_takes_the_file_under_another_name(cli: CommandLine, tmp_path: Path) -> None:
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
def test_progress_of_a_folder_that_is_gone_is_not_believed(cli: CommandLine, tmp_path: Path) -> None:
    played = events(50, 4)
    file = as_csv(tmp_path / "events", played)
    cli.run("replay", file, *TARGET, "--create").ok()
    cli.data.rename(tmp_path / "elsewhere")
    assert cli.run("replay", file, *TARGET, "--create", "--json").json["applied"] == 50
    assert standings(cli) == expected(played)


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["kept", "lost"])
@pytest.mark.parametrize("serve", ["alone", "beside"])
def test_killed_half_way_and_resumed_counts_once(cli: CommandLine, tmp_path: Path, serve: str, progress: str) -> None:
    played = events(3_000, 5)
    file = as_csv(tmp_path / "events", played)

    def killed_and_resumed() -> None:
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

    if serve == "beside":
        with cli.serving() as served:
            killed_and_resumed()
            assert served.standings("game", "main") == expected(played)
    else:
        killed_and_resumed()
        assert standings(cli) == expected(played)


@pytest.mark.slow
def test_killed_again_and_again_at_full_speed_counts_once(cli: CommandLine, tmp_path: Path) -> None:
    played = events(60_000, 6)
    file = as_ndjson(tmp_path / "events", played)
    cli.run("apps", "create", "game").ok()
    cli.run("boards", "create", "main", "--app", "game").ok()
    with cli.serving() as served:
        total = 0
        for _ in range(4):
            with cli.started("replay", file, *TARGET) as replaying:
                _until_further(cli, replaying, total)
                replaying.kill()
            total = cli.progress().get("last", 0)
        cli.run("replay", file, *TARGET).ok()
        assert served.standings("game", "main") == expected(played)


def _until_further(cli: CommandLine, replaying: Running, last: int) -> None:
    """Until more was confirmed than `last`, or the replay came to its end."""
    until(lambda: cli.progress().get("last", 0) > last or replaying.process.poll() is not None, "progress")


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back_is_waited_for(cli: CommandLine, tmp_path: Path) -> None:
    played = events(2_000, 7)
    file = as_csv(tmp_path / "events", played)
    replay = ("replay", file, *TARGET, "--create", "--speed", "200", "--json")
    with cli.serving() as first, cli.started(*replay) as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        first.kill()
        replaying.says("Trying again")
        with cli.serving() as second:
            assert second.url != first.url, "it is found at its new address"
            done = replaying.ended().json
            assert done["rows"] == 2_000
            assert not done["refused"]
            assert second.standings("game", "main") == expected(played)


@pytest.mark.slow
def test_a_server_that_stays_away_is_given_up_and_the_rest_is_sent_later(cli: CommandLine, tmp_path: Path) -> None:
    played = events(3_000, 8)
    file = as_csv(tmp_path / "events", played)
    replay = ("replay", file, *TARGET)
    options = ("--create", "--speed", "200", "--patience", "0.5")
    with cli.serving() as served, cli.started(*replay, *options) as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        served.kill()
        replaying.ended().failed(1, "gave up", "no response", "run the same command again")
    assert cli.run(*replay, "--json").json["rows"] == 3_000 - _stopped_after(replaying)
    assert standings(cli) == expected(played)


def _stopped_after(replaying: Running) -> int:
    """The row after which a replay says that it stopped."""
    _, _, rest = replaying.err.rpartition("stopped after row ")
    return int(rest.partition(";")[0].replace(",", ""))


@pytest.mark.slow
def test_ctrl_c_says_where_it_stopped_and_it_goes_on_from_there(cli: CommandLine, tmp_path: Path) -> None:
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


class TestScripted:
    """Against a server that fails as told."""

    def test_batches_keep_order_size_and_keys(self, cli: CommandLine, tmp_path: Path) -> None:
        played = events(2_345, 10)
        file = as_csv(tmp_path / "events", played)
        with scripted("down", "hang up", "answer", "busy") as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t", "--json").json
        assert done["rows"] == done["applied"] == 2_345
        assert server.tokens == {"Bearer t"}
        first, *_ = server.batches
        assert [batch == first for batch in server.batches] == [True, True, True, False, False, False]
        assert [len(batch) for batch in server.batches] == [1_000, 1_000, 1_000, 1_000, 1_000, 345]
        assert server.batches[3] == server.batches[4], "the very same, again"
        sent = [update for place in (2, 4, 5) for update in server.batches[place]]
        assert [(update["player"], update["increment"]) for update in sent] == [event[1:] for event in played]
        digest = files.digest(str(file))
        assert [update["idempotency_key"] for update in sent] == [f"{digest[:16]}-main-{n}" for n in range(1, 2_346)]

    @pytest.mark.parametrize(
        ("operator", "field"), [("increment", "increment"), ("best", "score"), ("latest", "score")]
    )
    def test_the_boards_operator_says_what_is_sent(
        self, cli: CommandLine, tmp_path: Path, operator: str, field: str
    ) -> None:
        file = as_csv(tmp_path / "events", [Event(1, "a", 5)])
        with scripted(operator=operator) as server:
            cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t").ok()
        assert server.batches[0][0][field] == 5

    def test_a_refused_batch_stops_and_says_where(self, cli: CommandLine, tmp_path: Path) -> None:
        file = as_csv(tmp_path / "events", events(1_500, 11))
        with scripted("answer", "broken") as server:
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

    def test_state_that_cannot_be_kept_stops_nothing(self, cli: CommandLine, tmp_path: Path) -> None:
        cli.state.write_text("a file where a folder should be")
        file = as_csv(tmp_path / "events", events(10, 12))
        with scripted() as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t").ok()
        assert "10  applied" in done.out
        assert "Cannot store progress" in done.err


@pytest.mark.parametrize("speed", [None, 1e9])
async def test_batches_have_every_row_in_order(speed: float | None) -> None:
    every = [Row(n, n, Item(1_000.0 * (n % 7), "a", n), frozenset()) for n in range(2_500)]
    gathered = [batch async for batch in pace.batches(every, 1_000, speed)]
    assert [row for batch in gathered for row in batch] == every
    assert all(0 < len(batch) <= 1_000 for batch in gathered)
