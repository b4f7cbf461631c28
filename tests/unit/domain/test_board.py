from dataclasses import replace
from typing import Any

import pytest

from scoreboard.domain.board import INT64_MAX, INT64_MIN, Player, check_time_zone
from scoreboard.domain.bounds import MAX_REGIONS, MAX_TOP_N
from scoreboard.domain.errors import Invalid
from tests.making import APP, WIDE, action, board


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"top_n": 1},
        {"top_n": MAX_TOP_N},
        {"regions": tuple(f"r{n}" for n in range(MAX_REGIONS))},
        {"time_zone": "America/Argentina/Buenos_Aires"},
        {"min_value": 3, "max_value": 3},
        WIDE,
    ],
)
def test_a_board_within_its_bounds_is_valid(rules: dict[str, Any]) -> None:
    valid = board(**rules)
    assert valid.check() is valid


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"slug": "Main"}, "invalid_board"),
        ({"name": ""}, "invalid_name"),
        ({"time_zone": "Europe/Atlantis"}, "invalid_time_zone"),
        ({"regions": ("eu", "eu")}, "invalid_regions"),
        ({"regions": tuple(f"r{n}" for n in range(MAX_REGIONS + 1))}, "invalid_regions"),
        ({"regions": ("",)}, "invalid_region"),
        ({"top_n": 0}, "invalid_top_n"),
        ({"top_n": MAX_TOP_N + 1}, "invalid_top_n"),
        ({"min_value": 2, "max_value": 1}, "invalid_bounds"),
        ({"min_total": 2, "max_total": 1}, "invalid_bounds"),
        ({"max_value": INT64_MAX + 1}, "invalid_bounds"),
        ({"min_total": INT64_MIN - 1}, "invalid_bounds"),
    ],
)
def test_a_board_outside_its_bounds_is_invalid(rules: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        board(**rules).check()
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "localtime",
        "posixrules",
        "Mars/Base",
        "Europe",
        "../UTC",
        "/etc/passwd",
        "utc\0",
        "é",
        "\ud800",
        "Europe/Berlin ",
        "x" * 5_000,
    ],
)
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(Invalid):
        check_time_zone(zone)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"slug": "a b"}, "invalid_action"),
        ({"points": INT64_MAX + 1}, "invalid_points"),
        ({"per_day": 0}, "invalid_per_day"),
        ({"per_day": 1_000_001}, "invalid_per_day"),
        ({"cooldown_s": -1}, "invalid_cooldown"),
        ({"cooldown_s": 366 * 86_400 + 1}, "invalid_cooldown"),
    ],
)
def test_an_action_outside_its_bounds_is_invalid(rules: dict[str, Any], code: str) -> None:
    valid = action(per_day=1)
    assert valid.check() is valid
    with pytest.raises(Invalid) as refusal:
        replace(valid, **rules).check()
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"id": ""}, "invalid_player"),
        ({"username": "a\n"}, "invalid_username"),
        ({"avatar_url": "javascript:alert(1)"}, "invalid_avatar_url"),
        ({"avatar_url": "http://example.org/a.png"}, "invalid_avatar_url"),
        ({"email": "e" * 101}, "invalid_email"),
        ({"region": "E U"}, "invalid_region"),
    ],
)
def test_a_player_outside_its_bounds_is_invalid(profile: dict[str, str], code: str) -> None:
    valid = Player("ann", "Ann", "https://example.org/a.png", "ann@example.org", "eu")
    assert valid.check() is valid
    with pytest.raises(Invalid) as refusal:
        replace(valid, **profile).check()
    assert refusal.value.code == code


def test_an_app_with_an_unknown_time_zone_is_invalid() -> None:
    assert APP.check() is APP
    with pytest.raises(Invalid) as refusal:
        replace(APP, time_zone="nowhere").check()
    assert refusal.value.code == "invalid_time_zone"
