from collections.abc import Mapping, Set
from itertools import count

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ranking import Slice
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep.drift import Drift, LedgerFold, differing_players, lasting_differences
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import WORLD, Standing, TableKey
from tests.making import NOON, ManualClock, board, standing, submission, table


class FakePublisher:
    def changed(self, *_: object) -> None:
        return None


class FakeCache:
    """A cache of the best `depth` standings; None is all."""

    depth: int | None = None

    async def cached_depth(self, *_: object) -> int | None:
        return self.depth


class System:
    """A ledger with one board, its totals, and a ranking that may differ from them."""

    def __init__(self, store: Database) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.totals = MemoryRanking(self.ledger.standings, "totals", load_s=BOUND_S)
        self.ranking = MemoryRanking(self.ledger.standings, "ranking", load_s=BOUND_S)
        rebuild = Rebuild(self.ledger, self.ranking, FakePublisher(), ManualClock())  # type: ignore[arg-type]  # a fake
        self.cache = FakeCache()
        self.drift = Drift(
            self.directory,
            self.ledger,
            self.totals,
            self.ranking,
            self.cache,  # type: ignore[arg-type]  # the only method that is called
            rebuild,
            ManualClock(),
            recheck_after_s=0.0,
        )

    async def create_board(self) -> Board:
        await self.ledger.start()
        await self.directory.start()
        app = await self.directory.create_app(App(0, "game", "Game"))
        main = await self.directory.create_board(Board(0, app, "main", "Main"))
        await self.ledger.transact([submission(main, "ann", 5, NOON)], decide)
        await self.totals.warm(table(main), main)
        await self.ranking.warm(table(main), main)
        return main

    async def rank(self, main: Board, standings: Mapping[str, Standing]) -> None:
        await self.ranking.apply(table(main), main, standings, place=False)


@pytest.fixture
def system(store: Database) -> System:
    return System(store)


async def test_an_equal_ranking_is_not_rebuilt(system: System) -> None:
    await system.create_board()
    assert await system.drift.once() == []
    assert system.drift.drifted_tables == 0


@pytest.mark.parametrize(
    "standings",
    [{"ann": standing(50, version=NOON + 9)}, {"zoe": standing(1)}],
    ids=["another score", "one too many"],
)
async def test_a_ranking_that_differs_from_the_totals_is_found_and_rebuilt(
    system: System, standings: Mapping[str, Standing]
) -> None:
    main = await system.create_board()
    await system.rank(main, standings)
    assert await system.drift.once() == [table(main)]
    assert system.drift.drifted_tables == 1
    await system.ranking.warm(table(main), main)
    rows = (await system.ranking.slice(table(main), main, 0, 9)).rows
    assert [(row.player, row.score) for row in rows] == [("ann", 5)]
    assert await system.drift.once() == []


async def test_updates_in_flight_at_every_check_are_no_drift(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await system.create_board()
    read_slice, scores = system.totals.slice, count(6)

    async def commit_then_read(key: TableKey, board: Board, start: int, stop: int) -> Slice:
        """Commit an update after the ranking was read. It is ranked before the next check."""
        score = next(scores)
        update = {"ann": standing(score, version=NOON + score)}
        await system.totals.apply(key, board, update, place=False)
        await system.ranking.apply(key, board, update, place=False)
        return await read_slice(key, board, start, stop)

    monkeypatch.setattr(system.totals, "slice", commit_then_read)
    assert await system.drift.once() == []
    assert next(scores) == 6 + 2, "the second check was enough"


@pytest.mark.parametrize(
    ("depth", "standings", "drifted"),
    [
        (2, {"zoe": standing(1)}, False),
        (2, {"bob": standing(2, version=NOON + 9)}, True),
        (140, {"p20": standing(-1, version=NOON + 9), "p21": standing(-1, version=NOON + 9)}, True),
        (0, {"zoe": standing(1)}, False),
    ],
    ids=["one too many out of range", "another score at the end", "two fewer", "nothing cached"],
)
async def test_only_the_cached_part_of_a_ranking_is_compared(
    system: System, depth: int, standings: Mapping[str, Standing], drifted: bool
) -> None:
    main = await system.create_board()
    system.cache.depth = depth
    common = {
        "bob": standing(3),
        "cat": standing(0),
        **{f"p{n}": standing(9_000 - n) for n in range(150 if depth > 2 else 0)},
    }
    for ranking in (system.totals, system.ranking):
        await ranking.apply(table(main), main, common, place=False)
    await system.rank(main, standings)
    assert await system.drift.once() == ([table(main)] if drifted else [])


def test_a_fold_has_the_standings_of_every_table() -> None:
    main = board(regions=("eu",))
    ledger_fold = LedgerFold(main)
    for value, region in ((5, "eu"), (2, WORLD)):
        ledger_fold.add(submission(main, "ann", value, region=region))
    scores = {key.region: {player: s.score for player, s in rows.items()} for key, rows in ledger_fold.tables.items()}
    assert scores == {WORLD: {"ann": 7}, "eu": {"ann": 5}}
    assert (ledger_fold.entries, ledger_fold.refusals) == (2, [])


def test_a_fold_describes_the_entries_that_the_rules_refuse() -> None:
    main = board(max_total=6)
    ledger_fold = LedgerFold(main)
    for _ in range(2):
        ledger_fold.add(submission(main, "ann", 5))
    assert ledger_fold.tables[table(main)]["ann"].score == 5
    assert len(ledger_fold.refusals) == 1


def test_players_differ_whose_values_differ_or_that_one_side_lacks() -> None:
    assert differing_players({"ann": 1, "bob": 2, "cat": 3}, {"ann": 1, "bob": 9, "dan": 4}) == {"bob", "cat", "dan"}


async def test_a_difference_lasts_that_every_recheck_finds() -> None:
    checks: list[Set[str]] = []

    async def recheck(differences: Set[str]) -> Set[str]:
        checks.append(differences)
        return differences - {"passing"}

    assert await lasting_differences({"stuck", "passing"}, recheck, times=2, pause_s=0) == {"stuck"}
    assert checks == [{"stuck", "passing"}, {"stuck"}]
    assert await lasting_differences({"passing"}, recheck, times=9, pause_s=0) == set()
    assert len(checks) == 3, "nothing is left to check"
