from collections.abc import Sequence

import pytest

from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.application.upkeep.trim import DAY_US, PAST_DAYS, Trim, is_past
from scoreboard.domain.board import App, Board, Period
from scoreboard.domain.submission import TableKey
from tests.making import NOON, ManualClock, board, table


class Cache:
    """A cache that records its calls."""

    def __init__(self, *tables: TableKey) -> None:
        self.tables = list(tables)
        self.resized: list[TableKey] = []

    async def cached_tables(self) -> Sequence[TableKey]:
        return list(self.tables)

    async def cached_depth(self, *_: object) -> int | None:
        return None

    async def evict(self, key: TableKey) -> None:
        self.tables.remove(key)

    async def rebuild_if_resized(self, key: TableKey, _: Board) -> None:
        self.resized.append(key)


@pytest.mark.parametrize(
    ("period", "season", "days", "past"),
    [
        ("daily", "2026-11-21", 0, False),
        ("daily", "2026-11-21", PAST_DAYS, False),
        ("daily", "2026-11-21", PAST_DAYS + 1, True),
        ("daily", "2026-11-22", 0, False),
        ("monthly", "2026-11", PAST_DAYS + 9, False),
        ("monthly", "2026-11", PAST_DAYS + 10, True),
        ("weekly", "2026-W47", 400, True),
        ("all_time", "all", 4_000, False),
    ],
)
def test_a_season_is_past_some_days_after_its_end(period: Period, season: str, days: int, past: bool) -> None:
    of = board(period=period)
    assert is_past(table(of, season), of, NOON + days * DAY_US) is past


async def test_past_seasons_and_deleted_boards_are_evicted_and_the_rest_resized(
    store: Database, clock: ManualClock
) -> None:
    directory = SqliteDirectory(store)
    await directory.start()
    app = await directory.create_app(App(0, "game", "Game"))
    daily = await directory.create_board(Board(0, app, "daily", "Daily", period="daily"))
    deleted = await directory.create_board(Board(0, app, "gone", "Gone"))
    await directory.delete_board(deleted)
    now, old = table(daily, "2026-11-21", "eu"), table(daily, "2026-01-01")
    cache = Cache(now, old, table(deleted))
    assert await Trim(directory, cache, clock).once() == [old, table(deleted)]
    assert cache.tables == cache.resized == [now]
