"""`scoreboard replay`: each row of a file counts once, in the file's order, whatever happens on the way."""

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.acceptance.command_line import CommandLine, Running, until
from tests.acceptance.scripted_server import scripted

from scoreboard.cli.errors import UsageError
from scoreboard.cli.replay import pace, rows

TARGET = ("--app", "game", "--board", "main")


class Event(NamedTuple):
    time: float
    player: str
    score: int


def events(count: int, seed: int, *, low: int = 1) -> list[Event]:
    """A second apart, by players with ids of all kinds."""
    chance = random.Random(seed)
    players = [f"p{n}" for n in range(40)] + ["Zoë, Q.", 'the "one"', "你好", "a/b"]
    return [Event(1_767_225_600.5 + n, chance.choice(players), chance.randint(low, 100)) for n in range(count)]


def as_csv(path: Path, written: Iterable[Event]) -> Path:
    def quoted(text: str) -> str:
        doubled = text.replace('"', '""')
        return f'"{doubled}"' if any(c in text for c in ',"') else text

    lines = [f"{event.time},{quoted(event.player)},{event.score}" for event in written]
    path.write_text("time,player,score\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_ndjson(path: Path, written: Iterable[Event]) -> Path:
    path.write_text("".join(json.dumps(event._asdict()) + "\n" for event in written))
    return path


def as_gzip(path: Path) -> Path:
    packed = path.with_name(path.name + ".packed")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def expected(played: Iterable[Event], operator: str = "increment") -> list[tuple[str, int]]:
    """The standings by plain computation: best first; of equals the one who came to the score earlier."""
    standings: dict[str, tuple[int, int]] = {}  # score, number of the row that changed it
    for number, (_, player, score) in enumerate(played):
        old = standings.get(player)
        if operator == "increment":
            new = score if old is None else old[0] + score
        elif operator == "best":
            new = score if old is None else max(old[0], score)
        else:
            new = score
        if old is None or new != old[0]:
            standings[player] = new, number
    ranked = sorted(standings.items(), key=lambda item: (-item[1][0], item[1][1]))
    return [(player, score) for player, (score, _) in ranked]


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
    played = events(1_000, 7)
    file = as_csv(tmp_path / "events", played)
    replay = ("replay", file, *TARGET, "--create", "--speed", "200", "--json")
    with cli.serving() as first, cli.started(*replay) as replaying:
        until(lambda: cli.progress().get("last", 0) > 0, "some rows are confirmed")
        first.kill()
        replaying.says("Trying again")
        with cli.serving() as second:
            assert second.url != first.url, "it is found at its new address"
            done = replaying.ended().json
            assert done["rows"] == 1_000
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
        replaying.ended().failed(1, "gave up", "no answer", "the same command goes on from there")
    assert cli.run(*replay, "--json").json["rows"] == 3_000 - _stopped_after(replaying)
    assert standings(cli) == expected(played)


def _stopped_after(replaying: Running) -> int:
    """The row after which a replay says that it stopped."""
    _, _, rest = replaying.err.rpartition("stopped after row ")
    return int(rest.partition(", ")[0].replace(",", ""))


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
        digest = rows.survey(file, skip_bad=False).digest
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
        assert done.err.splitlines()[-1].startswith("scoreboard: 1 of 3 rows were refused")

    def test_state_that_cannot_be_kept_stops_nothing(self, cli: CommandLine, tmp_path: Path) -> None:
        cli.state.write_text("a file where a folder should be")
        file = as_csv(tmp_path / "events", events(10, 12))
        with scripted() as server:
            done = cli.run("replay", file, *TARGET, "--url", server.url, "--token", "t").ok()
        assert "10  applied" in done.out
        assert "Cannot keep progress" in done.err


class TestFile:
    def test_a_bad_row_stops_before_anything_is_sent(self, cli: CommandLine, tmp_path: Path) -> None:
        file = tmp_path / "events.csv"
        file.write_text("time,player,score\n1,a,2\n2,b,x\n\n3,c,4\n")
        with scripted() as server:
            target = (*TARGET, "--url", server.url, "--token", "t")
            cli.run("replay", file, *target).failed(2, f"{file}:3:", "'x' is not a whole number", "--skip-bad")
            assert not server.batches
            done = cli.run("replay", file, *target, "--skip-bad", "--json").json
        assert (done["rows"], done["skipped"]) == (2, 1)
        assert [update["idempotency_key"][-2:] for update in server.batches[0]] == ["-1", "-3"]

    def test_a_board_that_is_not_there_is_not_made_unasked(self, cli: CommandLine, tmp_path: Path) -> None:
        file = as_csv(tmp_path / "events", events(1, 13))
        cli.run("replay", file, *TARGET).failed(1, "app_not_found", "--create")
        cli.run("apps", "create", "game").ok()
        cli.run("replay", file, *TARGET).failed(1, "board_not_found", "--create")
        cli.run("replay", file, *TARGET, "--create", "--operator", "best").ok()
        cli.run("replay", file, *TARGET, "--create", "--operator", "latest").failed(2, "operator best")

    def test_what_is_no_file_of_rows_is_one_line(self, cli: CommandLine, tmp_path: Path) -> None:
        cut = tmp_path / "cut"
        cut.write_bytes(gzip.compress(b"time,player,score\n" + b"1,a,2\n" * 1_000)[:-12])
        for file, word in ((tmp_path / "nix", "not there"), (tmp_path, "not a plain file"), (cut, "damaged")):
            cli.run("replay", file, *TARGET).failed(2, str(file), word)
        cli.run("replay", cut, *TARGET, "--speed", "fast").failed(2, "--speed", "max")

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("1,a", "2 columns"),
            ("1,a,2,3", "4 columns"),
            ("soon,a,2", "time 'soon'"),
            ("nan,a,2", "time 'nan'"),
            ("1_0,a,2", "time '1_0'"),
            ("1,a,2.5", "score '2.5'"),
            ("1,a,", "score ''"),
            ("1,a,1_0", "score '1_0'"),
            ("1,a,9223372036854775808", "64-bit"),
            ("1,,2", "player ''"),
            (f"1,{'a' * 51},2", "1 to 50"),
            ("1,a\udcff,2", "printable"),
            ('1,"a,2', "quote"),
            ('1,"a"b,2', "quote"),
        ],
    )
    def test_a_bad_line_of_csv_is_named(self, tmp_path: Path, line: str, problem: str) -> None:
        file = tmp_path / "events"
        file.write_bytes(f"time,player,score\r\n1,a,2\r\n\r\n{line}\r\n1,b,3\r\n".encode(errors="surrogateescape"))
        good, bad, after = list(rows.read(file))
        assert good == rows.Row(1, 1.0, "a", 2)
        assert isinstance(bad, rows.BadRow)
        assert (bad.number, bad.line) == (2, 4)
        assert problem in bad.problem
        assert after == rows.Row(3, 1.0, "b", 3)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ('{"time":1,"player":"a"}', "score"),
            ('{"time":"x","player":"a","score":1}', "time"),
            ('{"time":1,"player":"a","score":1.5}', "score"),
            ('{"time":1,"player":"a","score":true}', "score"),
            ('{"time":1,"player":5,"score":1}', "player"),
            ('{"time":1,"player":"a\\n","score":1}', "printable"),
            ('{"time":1,"player":"a","score":1', "JSON"),
            ("[" * 100_000, "object"),
            ("1,a,2", "object"),
        ],
    )
    def test_a_bad_line_of_ndjson_is_named(self, tmp_path: Path, line: str, problem: str) -> None:
        file = tmp_path / "events"
        file.write_text(
            f'{{"time":1,"player":"a","score":2}}\n\n{line}\n{{"score":3,"player":"b","time":1.5,"more":0}}'
        )
        good, bad, after = list(rows.read(file))
        assert good == rows.Row(1, 1.0, "a", 2)
        assert isinstance(bad, rows.BadRow)
        assert (bad.number, bad.line) == (2, 3)
        assert problem in bad.problem
        assert after == rows.Row(3, 1.5, "b", 3)

    @pytest.mark.parametrize("header", ["", "player,score", "time,player,score,time", "1,a,2"])
    def test_a_header_that_lacks_a_column_is_named(self, tmp_path: Path, header: str) -> None:
        file = tmp_path / "events"
        file.write_text(f"{header}\n1,a,2\n")
        with pytest.raises(UsageError, match="events:1: the header needs one column"):
            list(rows.read(file))

    def test_columns_may_be_more_and_in_any_order(self, tmp_path: Path) -> None:
        file = tmp_path / "events"
        file.write_bytes('\ufeffScore, player ,level,time\n5,"a ""b"", c",9,1e3\n'.encode())
        assert list(rows.read(file)) == [rows.Row(1, 1_000.0, 'a "b", c', 5)]


@pytest.mark.parametrize("speed", [None, 1e9])
async def test_batches_have_every_row_in_order(speed: float | None) -> None:
    every = [rows.Row(n, 1_000.0 * (n % 7), "a", n) for n in range(2_500)]
    gathered = [batch async for batch in pace.batches(every, speed)]
    assert [row for batch in gathered for row in batch] == every
    assert all(0 < len(batch) <= pace.BATCH for batch in gathered)
