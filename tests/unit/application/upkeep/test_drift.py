from collections.abc import Mapping
from itertools import count

import pytest

from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ranking import Slice
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep import drift as drift_module
from scoreboard.application.upkeep.drift import Drift
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, ManualClock, standing, submission, table


class Shown:
    def changed(self, *_: object) -> None:
        return None


class Cache:
    """Keeps so many of the best; None is all."""

    kept_of_all: int | None = None

    async def cached_depth(self, *_: object) -> int | None:
        return self.kept_of_all


class System:
    """A ledger with one board, its totals as a ranking, and a ranking that may differ from them."""

    def __init__(self, store: Database) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.totals = MemoryRanking(self.ledger.standings, "totals")
        self.ranking = MemoryRanking(self.ledger.standings, "ranking")
        rebuild = Rebuild(self.ledger, self.ranking, Shown(), ManualClock())  # type: ignore[arg-type]
        self.cache = Cache()
        self.drift = Drift(
            self.directory,
            self.ledger,
            self.totals,
            self.ranking,
            self.cache,  # type: ignore[arg-type]  # asked for no more
            rebuild,
            ManualClock(),
        )

    async def made(self) -> Board:
        await self.ledger.start()
        await self.directory.start()
        app = await self.directory.create_app(App(0, "game", "Game"))
        main = await self.directory.create_board(Board(0, app, "main", "Main"))
        await self.ledger.transact([submission(main, "ann", 5, NOON)], decide)
        await self.totals.warm(table(main), main)
        await self.ranking.warm(table(main), main)
        return main

    async def wrong(self, main: Board, standings: Mapping[str, Standing]) -> None:
        await self.ranking.apply(table(main), main, standings, place=False)


@pytest.fixture(autouse=True)
def looking_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_module, "LOOK_AGAIN_S", 0.0)


@pytest.fixture
def system(store: Database) -> System:
    return System(store)


async def test_what_is_the_same_is_left_alone(system: System) -> None:
    await system.made()
    assert await system.drift.once() == []
    assert system.drift.found == 0


@pytest.mark.parametrize(
    "standings",
    [{"ann": standing(50, version=NOON + 9)}, {"zoe": standing(1)}],
    ids=["another score", "one too many"],
)
async def test_a_ranking_that_differs_from_the_totals_is_found_and_made_anew(
    system: System, standings: Mapping[str, Standing]
) -> None:
    main = await system.made()
    await system.wrong(main, standings)
    assert await system.drift.once() == [table(main)]
    assert system.drift.found == 1
    await system.ranking.warm(table(main), main)
    assert [(one.player, one.score) for one in (await system.ranking.slice(table(main), main, 0, 9)).rows] == [
        ("ann", 5)
    ]
    assert await system.drift.once() == []


async def test_updates_on_their_way_at_every_look_are_no_drift(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await system.made()
    look, scores = system.totals.slice, count(6)

    async def looked(key: TableKey, board: Board, start: int, stop: int) -> Slice:
        """Since the look at the ranking one more was committed; by the next it is ranked."""
        score = next(scores)
        update = {"ann": standing(score, version=NOON + score)}
        await system.totals.apply(key, board, update, place=False)
        await system.ranking.apply(key, board, update, place=False)
        return await look(key, board, start, stop)

    monkeypatch.setattr(system.totals, "slice", looked)
    assert await system.drift.once() == []
    assert next(scores) == 6 + 2, "the second look was enough"


@pytest.mark.parametrize(
    ("kept", "standings", "found"),
    [
        (2, {"zoe": standing(1)}, False),
        (2, {"bob": standing(2, version=NOON + 9)}, True),
        (140, {"p20": standing(-1, version=NOON + 9), "p21": standing(-1, version=NOON + 9)}, True),
        (0, {"zoe": standing(1)}, False),
    ],
    ids=["one too many beyond", "another score at the end", "two fewer", "nothing kept"],
)
async def test_of_a_ranking_that_keeps_the_best_they_alone_are_compared(
    system: System, kept: int, standings: Mapping[str, Standing], found: bool
) -> None:
    main = await system.made()
    system.cache.kept_of_all = kept
    alike = {
        "bob": standing(3),
        "cat": standing(0),
        **{f"p{n}": standing(9_000 - n) for n in range(150 if kept > 2 else 0)},
    }
    for ranking in (system.totals, system.ranking):
        await ranking.apply(table(main), main, alike, place=False)
    await system.wrong(main, standings)
    assert await system.drift.once() == ([table(main)] if found else [])
