"""The definitions of a tenant: its app, boards, actions and players.

They are plain values. `check` returns a value itself, and raises Invalid when a field is out of bounds.
"""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scoreboard.domain import codes
from scoreboard.domain.bounds import (
    EMAIL_CHARS,
    MAX_COOLDOWN_S,
    MAX_PER_DAY,
    MAX_REGIONS,
    MAX_TOP_N,
    URL_CHARS,
    USERNAME_CHARS,
)
from scoreboard.domain.identifiers import check_player, check_slug, check_text

Operator = Literal["increment", "best", "latest"]
Direction = Literal["descending", "ascending"]
Ties = Literal["earliest", "latest", "shared"]
Numbering = Literal["ordinal", "competition", "dense"]
Period = Literal["all_time", "daily", "weekly", "monthly"]
Consistency = Literal["direct", "queued"]
Priority = Literal["high", "normal", "low"]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
SAFE_INTEGER = 2**53 - 1  # the greatest integer that every JSON reader reads exactly
FILE_TIME_ZONES = {"localtime", "posixrules"}  # names that mean different time zones on different servers


@dataclass(frozen=True, slots=True)
class App:
    """A tenant, with a primary key that is never reused after a deletion."""

    pk: int
    slug: str
    name: str
    time_zone: str = "UTC"

    def check(self) -> "App":
        check_slug(self.slug, codes.INVALID_APP)
        check_text(self.name, codes.INVALID_NAME, USERNAME_CHARS)
        check_time_zone(self.time_zone)
        return self


@dataclass(frozen=True, slots=True)
class Board:
    """One ranking rule of an app. Values and totals are integers, bounds inclusive.

    A board that is deleted and created again under the same id gets another `pk`, and so shares nothing with the old
    one. The fields that define the meaning of standings (`operator` to `regions`) are fixed at creation. Its updates
    have the `priority` in a queue.
    """

    pk: int
    app: App
    slug: str
    name: str
    operator: Operator = "increment"
    direction: Direction = "descending"
    ties: Ties = "earliest"
    numbering: Numbering = "ordinal"
    period: Period = "all_time"
    time_zone: str = "UTC"
    regions: tuple[str, ...] = ()
    top_n: int = 10
    public: bool = True
    player_values: bool = False
    consistency: Consistency = "direct"
    priority: Priority = "normal"
    min_value: int = -SAFE_INTEGER
    max_value: int = SAFE_INTEGER
    min_total: int = -SAFE_INTEGER
    max_total: int = SAFE_INTEGER

    @property
    def descending(self) -> bool:
        return self.direction == "descending"

    def check(self) -> "Board":
        check_slug(self.slug, codes.INVALID_BOARD)
        check_text(self.name, codes.INVALID_NAME, USERNAME_CHARS)
        check_time_zone(self.time_zone)
        for region in self.regions:
            check_slug(region, codes.INVALID_REGION)
        if len(set(self.regions)) != len(self.regions) or len(self.regions) > MAX_REGIONS:
            raise codes.INVALID_REGIONS.error(f"a board may have at most {MAX_REGIONS} regions; list each once")
        if not 1 <= self.top_n <= MAX_TOP_N:
            raise codes.INVALID_TOP_N.error(f"top_n must be from 1 to {MAX_TOP_N:,}")
        for low, high, what in (
            (self.min_value, self.max_value, "value"),
            (self.min_total, self.max_total, "total"),
        ):
            if not INT64_MIN <= low <= high <= INT64_MAX:
                raise codes.INVALID_BOUNDS.error(
                    f"min_{what} and max_{what} must be signed 64-bit integers, the lower one first"
                )
        return self


@dataclass(frozen=True, slots=True)
class Action:
    """An activity that earns points. Its daily limit follows the app's time zone."""

    pk: int
    app: App
    slug: str
    points: int
    per_day: int | None = None
    cooldown_s: int = 0

    @property
    def limited(self) -> bool:
        return self.per_day is not None or self.cooldown_s > 0

    def check(self) -> "Action":
        check_slug(self.slug, codes.INVALID_ACTION)
        if not INT64_MIN <= self.points <= INT64_MAX:
            raise codes.INVALID_POINTS.error("points must be a signed 64-bit integer")
        if self.per_day is not None and not 1 <= self.per_day <= MAX_PER_DAY:
            raise codes.INVALID_PER_DAY.error(f"per_day must be from 1 to {MAX_PER_DAY:,}, or null for no limit")
        if not 0 <= self.cooldown_s <= MAX_COOLDOWN_S:
            raise codes.INVALID_COOLDOWN.error(f"cooldown_s must be from 0 to {MAX_COOLDOWN_S:,} (one year)")
        return self


@dataclass(frozen=True, slots=True)
class Player:
    """A subject of scores, with an id that is unique in the app.

    `region` is the region of updates that name none.
    """

    id: str
    username: str
    avatar_url: str | None = None
    email: str | None = None
    region: str | None = None

    def check(self) -> "Player":
        check_player(self.id)
        check_text(self.username, codes.INVALID_USERNAME, USERNAME_CHARS)
        if self.avatar_url is not None:
            check_text(self.avatar_url, codes.INVALID_AVATAR_URL, URL_CHARS)
            if not self.avatar_url.startswith(("https://", "/")):
                raise codes.INVALID_AVATAR_URL.error("avatar_url must begin with https:// or /")
        if self.email is not None:
            check_text(self.email, codes.INVALID_EMAIL, EMAIL_CHARS)
        if self.region is not None:
            check_slug(self.region, codes.INVALID_REGION)
        return self


def check_time_zone(name: str) -> None:
    try:
        exists = name not in FILE_TIME_ZONES and ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        exists = False
    if not exists:
        raise codes.INVALID_TIME_ZONE.error("time_zone must be an IANA name such as UTC or Europe/Berlin")
