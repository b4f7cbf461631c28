"""Tests of settings: their sources, and the errors of invalid ones."""

from pathlib import Path

import pytest

from scoreboard.bootstrap.settings import CATALOGUE, Settings, SettingsError, effective, load
from scoreboard.cli.serve import OPTIONS

SERVICE = [setting for setting in CATALOGUE if setting.reader == "service"]


def test_defaults_apply_to_absent_settings() -> None:
    assert load({}) == Settings()
    assert {one.source for one in effective({})} == {"default"}


def test_options_override_variables_which_override_defaults() -> None:
    environment = {"SCOREBOARD_PORT": "9000", "SCOREBOARD_HOST": "::1", "HOME": "/home/me"}
    found = {one.setting.name: (one.value, one.source) for one in effective(environment, port="9001", host=None)}
    assert found["port"] == (9_001, "--port")
    assert found["host"] == ("::1", "SCOREBOARD_HOST")
    assert found["data"] == (Path("data"), "default")
    assert load(environment, port="9001").port == 9_001


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("PORT", "abc", "'abc' is not a whole number from 0 to 65535"),
        ("PORT", "65536", "'65536' is not a whole number from 0 to 65535"),
        ("PORT", "", "'' is not a whole number from 0 to 65535"),
        ("PORT", "80.0", "'80.0' is not a whole number from 0 to 65535"),
        ("PORT", "9" * 5_000, "is not a whole number from 0 to 65535"),
        ("PENDING_UPDATES", "999", "'999' is not a whole number from 1000 to 1000000"),
        ("LOG_LEVEL", "loud", "'loud' is not one of debug, info, warning, error"),
        ("DATA", "", "the value is empty; omit the setting to use 'data'"),
        ("HOST", "", "the value is empty; omit the setting to use '127.0.0.1'"),
        (
            "ORIGINS",
            "https://a.example, b.example",
            "'b.example' is not an origin; use a form such as https://shop.example",
        ),
        ("ORIGINS", "https://a.example/", "'https://a.example/' is not an origin"),
    ],
)
def test_the_error_names_the_variable_and_the_reason(variable: str, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({f"SCOREBOARD_{variable}": text})
    assert str(refused.value).startswith(f"SCOREBOARD_{variable}: ")
    assert expected in str(refused.value)


def test_the_error_of_an_option_names_the_option() -> None:
    with pytest.raises(SettingsError, match=r"^--live-connections: '0' is not a whole number from 1 to 1000000$"):
        load({}, live_connections="0")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("SCOREBOARD_PROT", "did you mean SCOREBOARD_PORT?"),
        ("SCOREBOARD_port", "did you mean SCOREBOARD_PORT?"),
        ("SCOREBOARD_TOKE", "did you mean SCOREBOARD_TOKEN?"),
        ("SCOREBOARD_QQQQ", "scoreboard serve --help"),
    ],
)
def test_an_unknown_variable_suggests_the_nearest(variable: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({variable: "1"})
    assert variable in str(refused.value)
    assert expected in str(refused.value)


def test_origins_are_separated_by_commas() -> None:
    assert load({"SCOREBOARD_ORIGINS": " https://a.example ,,http://b.example:8000,*"}).allowed_origins == (
        "https://a.example",
        "http://b.example:8000",
        "*",
    )


def test_the_catalogue_describes_every_setting() -> None:
    assert [setting.name for setting in SERVICE] == list(Settings.__struct_fields__)
    for setting in CATALOGUE:
        assert setting.meaning.endswith("."), setting
        assert setting.variable == f"SCOREBOARD_{setting.name.upper()}"
        assert (setting.kind == "choice") == bool(setting.choices)
        assert (setting.kind == "number") == bool(setting.high)
        if setting.default:
            assert setting.parse(setting.default) == setting.default
    assert {setting.name for setting in CATALOGUE if setting.secret} == {
        *("database_url", "database_replica_url", "ranking_url", "queue_url", "queue_keys", "signing_key", "token")
    }


def test_every_setting_of_the_service_is_an_option_of_serve() -> None:
    assert [*OPTIONS] == [setting.name for setting in SERVICE]
