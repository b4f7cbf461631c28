import asyncio
from typing import Any, cast

import pytest
from structlog.typing import EventDict

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep import repair as repair_module
from scoreboard.application.upkeep.repair import Repair
from scoreboard.domain import codes
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import TableKey
from tests.making import submission, table


class System:
    """What was made durable and not ranked, on the real store and ranking."""

    def __init__(self, store: Database) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.ranking = MemoryRanking(self.ledger.standings, "epoch", load_s=BOUND_S)
        self.told: list[TableKey] = []
        self.shown_again = asyncio.Event()
        self.repair = Repair(self.directory, self.ledger, self.ranking, cast("Publisher", self))

    def changed(self, _: Board, key: TableKey) -> None:
        self.told.append(key)
        self.shown_again.set()

    async def board(self, board: str = "main") -> Board:
        apps = await self.directory.apps()
        app = apps[0] if apps else await self.directory.create_app(App(0, "game", "Game"))
        made = await self.directory.create_board(Board(0, app, board, board.title(), regions=("eu",)))
        await self.ranking.warm(table(made), made)
        return made

    async def scored(self, board: Board, player: str, value: int, region: str = "") -> None:
        await self.ledger.transact([submission(board, player, value, region=region)], decide)

    async def shown(self, board: Board, region: str = "") -> list[tuple[str, int]]:
        ranked = (await self.ranking.slice(table(board, region=region), board, 0, 10)).rows
        return [(one.player, one.score) for one in ranked]


@pytest.fixture
async def system(store: Database) -> System:
    return System(store)


async def held(system: System, board: Board) -> None:
    """The ranking holds the board, so that only what is applied to it is in it."""
    await system.scored(board, "zoe", 1)
    await system.repair.once()
    assert await system.shown(board) == [("zoe", 1)]
    system.told.clear()


async def test_what_was_not_ranked_is_ranked_and_shown(system: System) -> None:
    main = await system.board()
    await held(system, main)
    await system.scored(main, "ann", 5)
    await system.scored(main, "ann", 2)
    await system.scored(main, "bob", 3)
    assert await system.shown(main) == [("zoe", 1)]
    await system.repair.once()
    assert await system.shown(main) == [("ann", 7), ("bob", 3), ("zoe", 1)]
    assert system.told == [table(main)]


async def test_in_every_table_of_every_board(system: System) -> None:
    main, second = await system.board(), await system.board("second")
    await system.scored(main, "ann", 5, region="eu")
    await system.scored(second, "bob", 3)
    assert await system.repair.once() == 3
    assert set(system.told) == {table(main), table(main, region="eu"), table(second)}
    assert await system.shown(main, "eu") == [("ann", 5)]


async def test_what_is_done_is_not_done_again(system: System) -> None:
    main = await system.board()
    await system.scored(main, "ann", 5)
    assert await system.repair.once() == 1
    await system.scored(main, "bob", 3)  # removes the notes that are done with
    assert await system.repair.once() == 1
    assert await system.shown(main) == [("ann", 5), ("bob", 3)]


async def test_when_all_is_ranked_there_is_nothing_to_go_on_with(system: System) -> None:
    """It goes on at once where much was left: what waits only to be forgotten must not keep it busy."""
    main = await system.board()
    for player in ("ann", "bob"):
        await system.scored(main, player, 5)
    assert await system.repair.once() == 2
    assert await system.repair.once() == 0


async def test_a_ranking_that_is_newer_is_not_set_back(system: System) -> None:
    main = await system.board()
    await held(system, main)
    await system.scored(main, "ann", 5)
    notes, ((key, player, old),) = await system.ledger.pending_projections()
    newer = old._replace(score=9, version=old.version + 1)
    await system.ranking.apply(key, main, {player: newer}, place=False)
    await system.repair.once()
    assert await system.shown(main) == [("ann", 9), ("zoe", 1)]
    assert notes


async def test_what_is_of_a_deleted_board_is_passed_over(system: System) -> None:
    main, second = await system.board(), await system.board("second")
    await system.scored(main, "ann", 5)
    await system.scored(second, "bob", 3)
    await system.directory.delete_board(main)
    await system.repair.once()
    assert system.told == [table(second)]
    assert (await system.ledger.pending_projections())[0] == []


async def test_a_table_that_is_being_made_will_have_it(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    main = await system.board()
    await system.scored(main, "ann", 5)

    async def warming(*_: object, **__: object) -> None:
        raise NotRanked("warming")

    monkeypatch.setattr(system.ranking, "apply", warming)
    await system.repair.once()
    assert system.told == []
    assert (await system.ledger.pending_projections())[0] == []


async def test_what_fails_stays_to_be_done(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    main = await system.board()
    await held(system, main)
    await system.scored(main, "ann", 5)

    async def failing(*_: object, **__: object) -> None:
        raise RuntimeError("ranking")

    with monkeypatch.context() as patched:
        patched.setattr(system.ranking, "apply", failing)
        with pytest.raises(RuntimeError):
            await system.repair.once()
    assert await system.repair.once() == 1
    assert await system.shown(main) == [("ann", 5), ("zoe", 1)]


async def test_a_failure_does_not_end_it(
    system: System, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(repair_module, "EVERY_S", 0.0)
    main = await system.board()
    await held(system, main)
    system.shown_again.clear()
    await system.scored(main, "ann", 5)
    unranked, tries = system.ledger.pending_projections, []

    async def failing_once() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise codes.STORAGE_FAILED.error("not now")
        return await unranked()

    monkeypatch.setattr(system.ledger, "pending_projections", failing_once)
    running = asyncio.create_task(system.repair.run())
    async with asyncio.timeout(BOUND_S):
        await system.shown_again.wait()
    running.cancel()
    assert [entry["event"] for entry in logged] == ["repair_put_off"]
    assert await system.shown(main) == [("ann", 5), ("zoe", 1)]
