from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep.repair import MANY, Repair
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import TableKey
from tests.making import submission, table


class System:
    """Repair with a real store and a real ranking. It is the publisher."""

    def __init__(self, store: Database) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.ranking = MemoryRanking(self.ledger.standings, "epoch", load_s=BOUND_S)
        self.published: list[TableKey] = []
        self.repair = Repair(self.directory, self.ledger, self.ranking, cast("Publisher", self))

    def changed(self, _: Board, key: TableKey) -> None:
        self.published.append(key)

    async def board(self, board: str = "main") -> Board:
        apps = await self.directory.apps()
        app = apps[0] if apps else await self.directory.create_app(App(0, "game", "Game"))
        made = await self.directory.create_board(Board(0, app, board, board.title(), regions=("eu",)))
        await self.ranking.warm(table(made), made)
        return made

    async def update(self, board: Board, player: str, value: int, region: str = "") -> None:
        await self.ledger.transact([submission(board, player, value, region=region)], decide)

    async def rows(self, board: Board, region: str = "") -> list[tuple[str, int]]:
        entries = (await self.ranking.slice(table(board, region=region), board, 0, 10)).rows
        return [(entry.player, entry.score) for entry in entries]


@pytest.fixture
async def system(store: Database) -> System:
    return System(store)


async def load(system: System, board: Board) -> None:
    """Load the board into the ranking, which then holds only what is applied to it."""
    await system.update(board, "zoe", 1)
    await system.repair.once()
    assert await system.rows(board) == [("zoe", 1)]
    system.published.clear()


async def test_pending_standings_are_ranked_and_published(system: System) -> None:
    main = await system.board()
    await load(system, main)
    await system.update(main, "ann", 5)
    await system.update(main, "ann", 2)
    await system.update(main, "bob", 3)
    assert await system.rows(main) == [("zoe", 1)]
    await system.repair.once()
    assert await system.rows(main) == [("ann", 7), ("bob", 3), ("zoe", 1)]
    assert system.published == [table(main)]


async def test_every_table_of_every_board_is_repaired(system: System) -> None:
    main, second = await system.board(), await system.board("second")
    await system.update(main, "ann", 5, region="eu")
    await system.update(second, "bob", 3)
    assert await system.repair.once() == 3
    assert set(system.published) == {table(main), table(main, region="eu"), table(second)}
    assert await system.rows(main, "eu") == [("ann", 5)]


async def test_a_repair_is_not_repeated(system: System) -> None:
    main = await system.board()
    await system.update(main, "ann", 5)
    assert await system.repair.once() == 1
    await system.update(main, "bob", 3)  # removes the acknowledged notes
    assert await system.repair.once() == 1
    assert await system.rows(main) == [("ann", 5), ("bob", 3)]


async def test_acknowledged_standings_are_not_counted(system: System) -> None:
    """Else `catch_up` would repair the same standings until their notes are removed."""
    main = await system.board()
    for player in ("ann", "bob"):
        await system.update(main, player, 5)
    assert await system.repair.once() == 2
    assert await system.repair.once() == 0


async def test_a_newer_standing_in_the_ranking_stays(system: System) -> None:
    main = await system.board()
    await load(system, main)
    await system.update(main, "ann", 5)
    notes, ((key, player, old),) = await system.ledger.pending_projections()
    newer = old._replace(score=9, version=old.version + 1)
    await system.ranking.apply(key, main, {player: newer}, place=False)
    await system.repair.once()
    assert await system.rows(main) == [("ann", 9), ("zoe", 1)]
    assert notes


async def test_standings_of_a_deleted_board_are_skipped(system: System) -> None:
    main, second = await system.board(), await system.board("second")
    await system.update(main, "ann", 5)
    await system.update(second, "bob", 3)
    await system.directory.delete_board(main)
    await system.repair.once()
    assert system.published == [table(second)]
    assert (await system.ledger.pending_projections())[0] == []


async def test_a_table_that_is_being_built_needs_no_repair(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    main = await system.board()
    await system.update(main, "ann", 5)

    async def warming(*_: object, **__: object) -> None:
        raise NotRanked("warming")

    monkeypatch.setattr(system.ranking, "apply", warming)
    await system.repair.once()
    assert system.published == []
    assert (await system.ledger.pending_projections())[0] == []


async def test_a_failed_repair_is_repeated(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    main = await system.board()
    await load(system, main)
    await system.update(main, "ann", 5)

    async def failing(*_: object, **__: object) -> None:
        raise RuntimeError("ranking")

    with monkeypatch.context() as patched:
        patched.setattr(system.ranking, "apply", failing)
        with pytest.raises(RuntimeError):
            await system.repair.once()
    assert await system.repair.once() == 1
    assert await system.rows(main) == [("ann", 5), ("zoe", 1)]


async def test_catching_up_repeats_until_few_are_pending(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([MANY, MANY, MANY - 1, MANY])

    async def count() -> int:
        return next(counts)

    monkeypatch.setattr(system.repair, "once", count)
    await system.repair.catch_up()
    assert list(counts) == [MANY]
