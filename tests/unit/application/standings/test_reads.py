from collections.abc import AsyncIterator, Collection, Mapping
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.standings.reads import Page, Reads
from scoreboard.domain.board import App, Player
from scoreboard.domain.errors import Invalid, NotFound, ScoreboardError
from scoreboard.domain.submission import Standing, TableKey
from tests.making import HOUR, ManualClock, board, standing, table

MAIN = board(regions=("eu",))
KEY = table(MAIN)


class World:
    """Seven players with standings, a to g, and one without.

    The scores are 7 to 1, and h has no standing. Only a has a name.
    """

    def __init__(self) -> None:
        self.scores = {player: standing(7 - n) for n, player in enumerate("abcdefg")}
        self.fault: Exception | None = None

    async def find_players(self, _: App, players: Collection[str]) -> Mapping[str, Player]:
        known = {"a": Player("a", "Ann"), "h": Player("h", "h")}
        return {player: known[player] for player in players if player in known}

    async def standing(self, _: TableKey, __: App, player: str) -> Standing | None:
        return self.scores.get(player)

    async def load(self, _: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        if self.fault is not None:
            raise self.fault
        yield list(self.scores.items())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def reads(world: World, clock: ManualClock) -> Reads:
    directory = cast("Directory", world)
    ranking = MemoryRanking(world.load, "epoch", load_s=BOUND_S)
    return Reads(directory, cast("Ledger", world), ranking, PlayerCache(directory), Cursors(bytes(32)), clock)


def players(page: Page) -> str:
    return "".join(line.player for line in page.lines)


@pytest.mark.parametrize(
    ("player", "radius", "window"),
    [("d", 1, "cde"), ("a", 1, "abc"), ("b", 2, "abcde"), ("g", 1, "efg"), ("f", 2, "cdefg"), ("d", 50, "abcdefg")],
)
async def test_around_a_player_the_window_is_shifted_not_cut(
    reads: Reads, player: str, radius: int, window: str
) -> None:
    page = await reads.around(MAIN, KEY, player, radius)
    assert players(page) == window
    assert [line.rank for line in page.lines] == [ord(one) - ord("a") + 1 for one in window]
    assert page.total == 7


async def test_cursors_lead_through_all_pages(reads: Reads) -> None:
    seen, cursor = [], None
    for _ in range(3):
        page = await reads.top(MAIN, KEY, 3, cursor)
        seen.append(players(page))
        cursor = page.next_cursor
    assert seen == ["abc", "def", "g"]
    assert cursor is None


async def test_a_page_that_ends_with_the_table_has_no_cursor(reads: Reads) -> None:
    assert (await reads.top(MAIN, KEY, 7, None)).next_cursor is None


async def test_lines_have_names_or_else_ids(reads: Reads) -> None:
    page = await reads.top(MAIN, KEY, 2, None)
    assert [line.username for line in page.lines] == ["Ann", "b"]


async def test_standings_of_a_set_of_players_are_best_first_with_the_missing(reads: Reads) -> None:
    lines, missing = await reads.get_standings(MAIN, KEY, ["g", "h", "a", "zoe", "g"])
    assert [(line.rank, line.player) for line in lines] == [(1, "a"), (7, "g")]
    assert missing == ["h", "zoe"]


async def test_without_a_ranking_a_standing_comes_from_the_totals_without_a_rank(reads: Reads, world: World) -> None:
    world.fault = OSError("disk")
    found = await reads.get_standing(MAIN, KEY, "d")
    assert (found.score, found.rank_state, found.details) == (4, "warming", None)
    assert (found.percentile, found.gap_to_next) == (None, None)
    assert await reads.get_rank(MAIN, KEY, "d") == (None, "warming")


@pytest.mark.parametrize(
    ("player", "percentile", "gap"), [("a", 100.0, None), ("b", 83.33, 1), ("d", 50.0, 1), ("g", 0.0, 1)]
)
async def test_a_standing_has_a_percentile_and_a_gap(
    reads: Reads, player: str, percentile: float, gap: int | None
) -> None:
    found = await reads.get_standing(MAIN, KEY, player)
    assert (found.percentile, found.gap_to_next) == (percentile, gap)


async def test_the_only_player_has_percentile_100(reads: Reads, world: World) -> None:
    world.scores = {"a": standing(1)}
    found = await reads.get_standing(MAIN, KEY, "a")
    assert (found.percentile, found.gap_to_next) == (100.0, None)


@pytest.mark.parametrize(("player", "code"), [("h", "standing_not_found"), ("zoe", "player_not_found")])
@pytest.mark.parametrize("fault", [None, OSError("disk")])
async def test_a_player_without_a_standing_differs_from_an_unknown_one(
    reads: Reads, world: World, player: str, code: str, fault: Exception | None
) -> None:
    world.fault = fault
    with pytest.raises(NotFound) as raised:
        await reads.get_standing(MAIN, KEY, player)
    assert raised.value.code == code


async def test_the_clock_decides_the_current_season(reads: Reads, clock: ManualClock) -> None:
    daily = board(period="daily")
    assert reads.table(daily, None, None).season == reads.table(daily, "current", None).season == "2026-11-21"
    assert reads.table(daily, "2020-01-01", None).season == "2020-01-01"
    clock.now += 12 * HOUR
    assert reads.table(daily, None, None).season == "2026-11-22"


@pytest.mark.parametrize(
    ("season", "region", "error"),
    [("yesterday", None, Invalid), ("", None, Invalid), (None, "us", NotFound), (None, "", NotFound)],
)
async def test_an_invalid_table_is_refused(
    reads: Reads, season: str | None, region: str | None, error: type[ScoreboardError]
) -> None:
    with pytest.raises(error):
        reads.table(MAIN, season, region)


@pytest.mark.parametrize("limit", [0, -1, 1_001])
async def test_the_size_of_a_read_is_bounded(reads: Reads, limit: int) -> None:
    with pytest.raises(Invalid):
        await reads.top(MAIN, KEY, limit, None)
    with pytest.raises(Invalid):
        await reads.around(MAIN, KEY, "a", limit)
    with pytest.raises(Invalid):
        await reads.get_standings(MAIN, KEY, ["a"] * max(limit, 0))
