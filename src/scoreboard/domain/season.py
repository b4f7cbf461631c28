"""Seasons: the periods of a board, which start at midnight in its time zone.

The name of a season comes from the local calendar: `all`, `2026-11-21`, `2026-W47` (ISO 8601) or `2026-11`. Its bounds
are instants in UTC, so that a day of 23 or 25 hours is exactly one season. A season contains the updates that were
accepted in [starts_at, ends_at).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from scoreboard.domain import codes
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Period

ALL_TIME = "all"


@dataclass(frozen=True, slots=True)
class Season:
    """A season with its name and its bounds, in microseconds since 1970."""

    name: str
    starts_at: int
    ends_at: int


_ENDLESS = Season(ALL_TIME, INT64_MIN, INT64_MAX)


def season_at(period: Period, time_zone: str, at: int) -> Season:
    """Return the season of the instant `at`, in microseconds since 1970."""
    if period == "all_time":
        return _ENDLESS
    return _season_of(period, time_zone, local_day(time_zone, at))


def was_over(period: Period, time_zone: str, name: str, at: int) -> bool:
    """Return whether a season had ended before `at`. Names sort by time."""
    return name < season_at(period, time_zone, at).name


def local_day(time_zone: str, at: int) -> date:
    """Return the calendar day of the instant `at` in a time zone."""
    return datetime.fromtimestamp(at // 1_000_000, ZoneInfo(time_zone)).date()


@lru_cache(maxsize=4096)
def _season_of(period: Period, time_zone: str, day: date) -> Season:
    match period:
        case "daily":
            first, following, name = day, day + timedelta(days=1), day.isoformat()
        case "weekly":
            first = day - timedelta(days=day.weekday())
            year, week, _ = first.isocalendar()
            following, name = first + timedelta(weeks=1), f"{year}-W{week:02}"
        case "monthly":
            first = day.replace(day=1)
            following, name = (first + timedelta(days=31)).replace(day=1), f"{first:%Y-%m}"
        case "all_time":
            return _ENDLESS
    return Season(name, _midnight(first, time_zone), _midnight(following, time_zone))


def _midnight(day: date, time_zone: str) -> int:
    """Return the first instant of a local day.

    Where a time change skips midnight, the UTC offset before the change gives that instant.
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).timestamp()) * 1_000_000


def check_name(period: Period, name: str) -> str:
    """Return the name of a season. Raises Invalid if the period has no such season."""
    if name != (ALL_TIME if period == "all_time" else _canonical_name(period, name)):
        raise codes.INVALID_SEASON.error(
            f"this board has no such season; use current or a name such as {_EXAMPLES[period]}"
        )
    return name


_EXAMPLES: Mapping[Period, str] = {
    "all_time": ALL_TIME,
    "daily": "2026-11-21",
    "weekly": "2026-W47",
    "monthly": "2026-11",
}


def _canonical_name(period: Period, name: str) -> str | None:
    """Return the name of the season that starts on the first day in `name`."""
    try:
        match period:
            case "daily":
                day = date.fromisoformat(name)
            case "weekly":
                year, _, week = name.partition("-W")
                day = date.fromisocalendar(int(year), int(week), 1)
            case _:
                day = date.fromisoformat(f"{name}-01")
        return _season_of(period, "UTC", day).name
    except (ValueError, OverflowError):
        return None
