"""Pages neither repeat nor skip an unchanged standing while others change."""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.standings.reads import Reads
from scoreboard.domain.board import App, Player
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, ManualClock, board, standing, table

RULES = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["descending", "ascending"]),
        "ties": st.sampled_from(["earliest", "latest", "shared"]),
        "numbering": st.sampled_from(["ordinal", "competition", "dense"]),
    }
)
SCORE_AND_TIME = st.tuples(st.integers(0, 3), st.integers(0, 3))  # score, microseconds after noon
STAYING = st.lists(SCORE_AND_TIME, min_size=1, max_size=12)
MOVES = st.lists(st.lists(st.tuples(st.sampled_from("uvwxyz"), SCORE_AND_TIME | st.none()), max_size=4), max_size=30)


class EmptyDirectory:
    """A directory without players."""

    async def find_players(self, _: App, players: Collection[str]) -> Mapping[str, Player]:
        return {}


async def no_totals(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
    yield []


@settings(deadline=None, max_examples=200)
@given(rules=RULES, staying=STAYING, moves=MOVES, limit=st.integers(1, 4))
async def test_pages_contain_every_unchanged_standing_exactly_once(
    rules: dict[str, Any], staying: list[tuple[int, int]], moves: list[list[tuple[str, Any]]], limit: int
) -> None:
    of = board(**rules)
    key, directory = table(of), cast("Directory", EmptyDirectory())
    ranking = MemoryRanking(no_totals, "epoch", load_s=BOUND_S)
    reads = Reads(directory, cast("Ledger", None), ranking, PlayerCache(directory), Cursors(bytes(32)), ManualClock())
    version = 1

    async def put(player: str, place: tuple[int, int] | None) -> None:
        nonlocal version
        version += 1
        if place is None:
            await ranking.remove(key, player, version)
        else:
            moved = standing(place[0], NOON + place[1], version)
            await ranking.apply(key, of, {player: moved}, place=False)

    for n, place in enumerate(staying):
        await put(f"stays-{n}", place)
    for player in "uvwxyz":
        await put(player, (1, 1))
    seen: list[str] = []
    cursor = None
    for between in [*moves, *([] for _ in range(len(staying) + 6))]:
        page = await reads.top(of, key, limit, cursor)
        seen += [line.player for line in page.lines]
        cursor = page.next_cursor
        if cursor is None:
            break
        for player, to in between:
            await put(player, to)
    stayed = [player for player in seen if player.startswith("stays-")]
    assert sorted(stayed) == sorted(f"stays-{n}" for n in range(len(staying)))
