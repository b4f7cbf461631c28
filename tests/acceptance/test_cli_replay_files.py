"""Files of `scoreboard replay`: errors are found before anything is sent."""

import gzip
from pathlib import Path

import pytest

from scoreboard.cli.errors import UsageError
from scoreboard.cli.transfer.files import open_rows
from scoreboard.cli.transfer.replay import EVENTS, Event
from scoreboard.cli.transfer.rows import BadRow, Row, read
from tests.acceptance.command_line import CommandLine
from tests.acceptance.events import as_csv, events
from tests.acceptance.scripted_server import scripted

TARGET = ("--app", "game", "--board", "main")


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def rows_of(file: Path) -> list[Event | BadRow]:
    with open_rows(str(file)) as opened:
        return [row.item if isinstance(row, Row) else row for row in read(str(file), opened, EVENTS)]


class TestFile:
    def test_bad_row_stops_before_anything_is_sent(self, cli: CommandLine, tmp_path: Path) -> None:
        file = tmp_path / "events.csv"
        file.write_text("time,player,score\n1,a,2\n2,b,x\n\n3,c,4\n")
        with scripted() as server:
            target = (*TARGET, "--url", server.url, "--token", "t")
            cli.run("replay", file, *target).failed(2, f"{file}:3:", "'x' is not a 64-bit whole number", "--skip-bad")
            assert not server.batches
            done = cli.run("replay", file, *target, "--skip-bad", "--json").json
        assert (done["rows"], done["skipped"]) == (2, 1)
        assert [update["idempotency_key"][-2:] for update in server.batches[0]] == ["-1", "-3"]

    @pytest.mark.slow
    def test_missing_board_is_created_only_on_request(self, cli: CommandLine, tmp_path: Path) -> None:
        file = as_csv(tmp_path / "events", events(1, 13))
        cli.run("replay", file, *TARGET).failed(1, "app_not_found", "--create")
        cli.run("apps", "create", "game").ok()
        cli.run("replay", file, *TARGET).failed(1, "board_not_found", "--create")
        cli.run("replay", file, *TARGET, "--create", "--operator", "best").ok()
        cli.run("replay", file, *TARGET, "--create", "--operator", "latest").failed(2, "operator best")

    def test_unreadable_file_is_one_line(self, cli: CommandLine, tmp_path: Path) -> None:
        cut = tmp_path / "cut"
        cut.write_bytes(gzip.compress(b"time,player,score\n" + b"1,a,2\n" * 1_000)[:-12])
        for file, word in ((tmp_path / "nix", "does not exist"), (tmp_path, "not a regular file"), (cut, "damaged")):
            cli.run("replay", file, *TARGET).failed(2, str(file), word)
        cli.run("replay", cut, *TARGET, "--speed", "fast").failed(2, "--speed", "max")
        cli.run("replay", "-", *TARGET).failed(2, "reads its file twice")
        for patience in ("-1", "nan"):
            cli.run("replay", cut, *TARGET, "--patience", patience).failed(2, "--patience", "0 seconds or more")

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("1,a", "columns is 2"),
            ("1,a,2,3", "columns is 4"),
            ("soon,a,2", "time 'soon'"),
            ("nan,a,2", "time 'nan'"),
            ("1_0,a,2", "time '1_0'"),
            ("1,a,2.5", "score '2.5'"),
            ("1,a,", "score ''"),
            ("1,a,1_0", "score '1_0'"),
            ("1,a,9223372036854775808", "64-bit"),
            ("1,a,-99999999999999999999", "64-bit"),
            ("1,,2", "player ''"),
            (f"1,{'a' * 51},2", "1 to 50"),
            ("1,a\udcff,2", "not UTF-8"),
            ('1,"a,2', "quote"),
            ('1,"a"b,2', "quote"),
        ],
    )
    def test_bad_csv_line_is_named(self, tmp_path: Path, line: str, problem: str) -> None:
        file = tmp_path / "events"
        file.write_bytes(f"time,player,score\r\n1,a,2\r\n\r\n{line}\r\n1,b,3\r\n".encode(errors="surrogateescape"))
        good, bad, after = rows_of(file)
        assert good == Event(1.0, "a", 2)
        assert isinstance(bad, BadRow)
        assert bad.line == 4
        assert problem in bad.problem
        assert after == Event(1.0, "b", 3)

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
    def test_bad_ndjson_line_is_named(self, tmp_path: Path, line: str, problem: str) -> None:
        file = tmp_path / "events"
        file.write_text(
            f'{{"time":1,"player":"a","score":2}}\n\n{line}\n{{"score":3,"player":"b","time":1.5,"more":0}}'
        )
        good, bad, after = rows_of(file)
        assert good == Event(1.0, "a", 2)
        assert isinstance(bad, BadRow)
        assert bad.line == 3
        assert problem in bad.problem
        assert after == Event(1.5, "b", 3)

    @pytest.mark.parametrize("header", ["", "player,score", "time,player,score,time", "1,a,2"])
    def test_invalid_header_is_named(self, tmp_path: Path, header: str) -> None:
        file = tmp_path / "events"
        file.write_text(f"{header}\n1,a,2\n")
        with pytest.raises(UsageError, match="events:1: invalid header for a replay"):
            rows_of(file)

    def test_columns_can_be_reordered_and_extended(self, tmp_path: Path) -> None:
        file = tmp_path / "events"
        file.write_bytes('\ufeffScore, player ,level,time\n5,"a ""b"", c",9,1e3\n'.encode())
        assert rows_of(file) == [Event(1_000.0, 'a "b", c', 5)]
