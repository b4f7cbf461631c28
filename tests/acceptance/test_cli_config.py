"""`scoreboard config show`: current settings and their sources, without secrets."""

from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_shows_values_and_their_sources(cli: CommandLine) -> None:
    done = cli.run("config", "show", "--port", "9000", "--json", SCOREBOARD_LOG_LEVEL="debug", SCOREBOARD_PORT="1")
    found = {one["setting"]: one for one in done.json}
    assert (found["port"]["value"], found["port"]["source"]) == (9_000, "--port")
    assert (found["log_level"]["value"], found["log_level"]["source"]) == ("debug", "SCOREBOARD_LOG_LEVEL")
    assert (found["data"]["value"], found["data"]["source"]) == (str(cli.data), "SCOREBOARD_DATA")
    assert (found["host"]["value"], found["host"]["source"]) == ("127.0.0.1", "default")
    assert (found["port"]["default"], found["port"]["range"]) == (8_000, "0 to 65535")
    table = cli.run("config", "show", SCOREBOARD_LOG_LEVEL="debug").ok().out
    (line,) = [line for line in table.splitlines() if line.startswith("log_level")]
    assert line.split() == ["log_level", "debug", "SCOREBOARD_LOG_LEVEL"]


def test_hides_secrets(cli: CommandLine) -> None:
    secrets = {"SCOREBOARD_TOKEN": "very-secret", "SCOREBOARD_URL": "https://me:very-secret@scores.example.com/x"}
    for options in ((), ("--json",)):
        out = cli.run("config", "show", *options, **secrets).ok().out
        assert "very-secret" not in out
        assert "me" not in out.split("scores.example.com")[0].split("https://")[-1]
        assert "https://(hidden)@scores.example.com/x" in out


def test_creates_no_data_folder(cli: CommandLine) -> None:
    cli.run("config", "show").ok()
    assert not cli.data.exists()


def test_invalid_setting_is_one_line(cli: CommandLine) -> None:
    cli.run("config", "show", SCOREBOARD_ORIGNS="*").failed(2, "SCOREBOARD_ORIGNS", "did you mean SCOREBOARD_ORIGINS?")
    cli.run("config", "show", "--live-connections", "many").failed(
        2, "--live-connections: 'many' is not a whole number"
    )
