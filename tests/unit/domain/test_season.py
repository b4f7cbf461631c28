from datetime import UTC, datetime
from typing import get_args

import pytest

from scoreboard.domain.board import Period
from scoreboard.domain.errors import Invalid
from scoreboard.domain.season import check_name, local_day, season_at
from tests.making import HOUR, NOON


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def utc(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("period", "name", "starts_at", "ends_at"),
    [
        ("daily", "2026-11-21", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("weekly", "2026-W47", "2026-11-16 00:00", "2026-11-23 00:00"),
        ("monthly", "2026-11", "2026-11-01 00:00", "2026-12-01 00:00"),
    ],
)
def test_a_season_has_the_name_and_bounds_of_its_period(
    period: Period, name: str, starts_at: str, ends_at: str
) -> None:
    season = season_at(period, "UTC", NOON)
    assert (season.name, utc(season.starts_at), utc(season.ends_at)) == (name, starts_at, ends_at)


def test_an_all_time_board_has_one_season() -> None:
    season = season_at("all_time", "Asia/Kolkata", NOON)
    assert season == season_at("all_time", "UTC", 0)
    assert season.name == "all"
    assert season.starts_at < 0 < NOON < season.ends_at


@pytest.mark.parametrize(
    ("day", "name"),
    [("2026-12-31", "2026-W53"), ("2027-01-03", "2026-W53"), ("2027-01-04", "2027-W01"), ("2024-12-30", "2025-W01")],
)
def test_a_week_is_of_the_year_that_has_its_thursday(day: str, name: str) -> None:
    assert season_at("weekly", "UTC", at(f"{day}T12:00+00:00")).name == name


def test_the_end_of_a_season_is_the_next_ones() -> None:
    midnight = at("2026-11-22T00:00+00:00")
    assert season_at("daily", "UTC", midnight - 1).name == "2026-11-21"
    assert season_at("daily", "UTC", midnight).name == "2026-11-22"


@pytest.mark.parametrize(
    ("zone", "noon", "name", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00+02:00", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25T12:00+01:00", "2026-10-25", 25),
        ("Europe/Berlin", "2026-10-26T12:00+01:00", "2026-10-26", 24),
        ("America/Sao_Paulo", "2018-11-04T12:00-02:00", "2018-11-04", 23),  # started at 01:00
        ("America/Sao_Paulo", "2018-02-17T12:00-02:00", "2018-02-17", 25),  # its last hour was repeated
        ("Asia/Kolkata", "2026-11-21T12:00+05:30", "2026-11-21", 24),
    ],
)
def test_a_day_of_23_or_25_hours_is_one_season(zone: str, noon: str, name: str, hours: int) -> None:
    season = season_at("daily", zone, at(noon))
    assert season.name == name
    assert season.ends_at - season.starts_at == hours * HOUR
    inside = range(season.starts_at, season.ends_at, HOUR // 2)
    assert {season_at("daily", zone, instant) for instant in (*inside, season.ends_at - 1)} == {season}


@pytest.mark.parametrize(
    ("zone", "noon", "starts_at"),
    [
        ("America/Sao_Paulo", "2018-11-04T12:00-02:00", "2018-11-04 03:00"),
        ("Asia/Kolkata", "2026-11-21T12:00+05:30", "2026-11-20 18:30"),
        ("America/Havana", "2026-11-01T12:00-05:00", "2026-11-01 04:00"),  # midnight was repeated; the first counts
    ],
)
def test_a_day_starts_at_its_first_instant(zone: str, noon: str, starts_at: str) -> None:
    assert utc(season_at("daily", zone, at(noon)).starts_at) == starts_at


def test_a_skipped_calendar_day_is_no_season() -> None:
    before = season_at("daily", "Pacific/Apia", at("2011-12-29T12:00-10:00"))
    after = season_at("daily", "Pacific/Apia", before.ends_at)
    assert (before.name, after.name) == ("2011-12-29", "2011-12-31")
    assert before.ends_at == after.starts_at


def test_a_local_day_depends_on_the_time_zone() -> None:
    late = at("2026-11-21T23:00+00:00")
    assert [local_day(zone, late).day for zone in ("UTC", "Asia/Kolkata", "America/Sao_Paulo")] == [21, 22, 21]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("period", get_args(Period))
def test_the_name_of_every_season_is_valid(period: Period, zone: str) -> None:
    name = season_at(period, zone, NOON).name
    assert check_name(period, name) == name


@pytest.mark.parametrize(
    ("period", "name"),
    [
        ("all_time", "2026-11-21"),
        ("daily", "all"),
        ("daily", "2026-11"),
        ("daily", "2026-11-21 "),
        ("daily", "2026-11-21\n"),
        ("weekly", "2026-w47"),
        ("monthly", "2026-11-21"),
        ("monthly", ""),
    ],
)
def test_a_name_of_another_format_is_refused(period: Period, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_name(period, name)
    assert refusal.value.code == "invalid_season"


@pytest.mark.parametrize(
    ("period", "name"),
    [
        ("daily", "2026-02-30"),
        ("daily", "2026-13-01"),
        ("daily", "\u0662\u0660\u0662\u0666-11-21"),
        ("weekly", "2026-W00"),
        ("weekly", "2025-W53"),
        ("monthly", "2026-00"),
        ("monthly", "2026-13"),
    ],
)
def test_a_name_of_no_season_is_refused(period: Period, name: str) -> None:
    with pytest.raises(Invalid):
        check_name(period, name)
