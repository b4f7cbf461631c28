from zoneinfo import available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.domain.board import Period
from scoreboard.domain.season import check_name, season_at
from tests.making import HOUR

FROM, TO = (
    1_325_376_000_000_000,
    4_102_444_800_000_000,
)  # 2012 to 2100; earlier, some time zones went back over midnight
ZONES = st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "America/Havana"]) | st.sampled_from(
    sorted(available_timezones())
)
PERIODS = st.sampled_from(["daily", "weekly", "monthly"])
LONGEST = {"daily": 28 * HOUR, "weekly": 7 * 24 * HOUR + HOUR, "monthly": 31 * 24 * HOUR + HOUR}


@settings(deadline=None, max_examples=1_000)
@given(ZONES, PERIODS, st.integers(FROM, TO))
def test_every_instant_is_in_exactly_one_season(zone: str, period: Period, at: int) -> None:
    season = season_at(period, zone, at)
    assert season.starts_at <= at < season.ends_at
    assert season_at(period, zone, season.starts_at) == season
    assert season_at(period, zone, season.ends_at - 1) == season


@settings(deadline=None, max_examples=200)
@given(ZONES, PERIODS, st.integers(FROM, TO))
def test_seasons_have_no_gap_and_no_overlap(zone: str, period: Period, at: int) -> None:
    season = season_at(period, zone, at)
    for _ in range(20):
        following = season_at(period, zone, season.ends_at)
        assert following.starts_at == season.ends_at
        assert following.name > season.name
        assert check_name(period, following.name) == following.name
        season = following


@settings(deadline=None, max_examples=50)
@given(ZONES, st.integers(2012, 2099))
def test_a_year_has_365_seasons_of_about_a_day(zone: str, year: int) -> None:
    names = set()
    at = FROM + (year - 2012) * 365 * 24 * HOUR
    for _ in range(365):
        season = season_at("daily", zone, at)
        assert 22 * HOUR <= season.ends_at - season.starts_at <= LONGEST["daily"]
        names.add(season.name)
        at = season.ends_at
    assert len(names) == 365
