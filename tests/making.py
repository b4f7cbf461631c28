"""Boards, submissions and a clock for tests."""

from dataclasses import replace
from itertools import count
from typing import Any

from scoreboard.application.updates.rules import rules_of
from scoreboard.domain import event_id
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Action, App, Board
from scoreboard.domain.event_id import EventId
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import WORLD, Standing, Submission, TableKey

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NOON = 1_795_262_400 * SECOND  # 2026-11-21, a Saturday
APP = App(1, "game", "Game")
WIDE = {"min_value": INT64_MIN, "max_value": INT64_MAX, "min_total": INT64_MIN, "max_total": INT64_MAX}

_randomness = count(1)


class ManualClock:
    """A wall clock in microseconds that only tests advance."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def board(**rules: Any) -> Board:
    return replace(Board(1, APP, "main", "Main"), **rules)


def action(**rules: Any) -> Action:
    return replace(Action(1, APP, "win", 5), **rules)


def event(at: int = NOON) -> EventId:
    """Return an event id, greater than the previous one for the same instant."""
    return event_id.make(at, next(_randomness))


def submission(
    to: Board,
    player: str = "ann",
    value: int = 1,
    at: int = NOON,
    *,
    region: str = WORLD,
    use: Action | None = None,
    key: str | None = None,
    body: bytes = b"",
    credential: str = "server:one",
    metadata: bytes | None = None,
) -> Submission:
    season = season_at(to.period, to.time_zone, at).name
    return Submission(
        event(at),
        at,
        to,
        season,
        player,
        value,
        credential,
        region,
        use,
        key,
        body if key else b"",
        metadata,
        rules=rules_of(to, use),
    )


def standing(score: int, reached_at: int = NOON, version: int = 1) -> Standing:
    return Standing(score, reached_at, version, event(reached_at), reached_at)


def table(of: Board, season: str = "all", region: str = WORLD) -> TableKey:
    return TableKey(of.pk, season, region)
