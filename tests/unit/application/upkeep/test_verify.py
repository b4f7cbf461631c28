from collections.abc import Collection, Mapping

from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ranking import PlayerRank
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep.verify import verify
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import TableKey
from tests.making import NOON, standing, submission, table


class System:
    """Ann leads Bob in ledger, totals and ranking."""

    def __init__(self, store: Database, ranking_type: type[MemoryRanking] = MemoryRanking) -> None:
        self.ledger, self._directory = SqliteLedger(store), SqliteDirectory(store)
        self.ranking = ranking_type(self.ledger.standings, "ranking")

    async def create_board(self) -> Board:
        await self.ledger.start()
        await self._directory.start()
        app = await self._directory.create_app(App(0, "game", "Game"))
        main = await self._directory.create_board(Board(0, app, "main", "Main"))
        await self.ledger.transact([submission(main, "ann", 9, NOON), submission(main, "bob", 5, NOON)], decide)
        await self.ranking.warm(table(main), main)
        return main


async def test_equal_stores_have_no_differences(store: Database) -> None:
    system = System(store)
    report = await verify(system.ledger, system.ranking, await system.create_board())
    assert (report.entries, report.standings, report.differences) == (2, 2, [])


async def test_a_standing_that_the_totals_lack_is_reported(store: Database) -> None:
    system = System(store)
    main = await system.create_board()
    await system.ranking.apply(table(main), main, {"eve": standing(7)}, place=False)
    report = await verify(system.ledger, system.ranking, main)
    assert report.differences == [f"ranking of {table(main)}: eve differs"]


class BobAlwaysLeads(MemoryRanking):
    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        found = await super().get_ranks(key, board, players)
        return {**found, "bob": found["bob"]._replace(entry=found["bob"].entry._replace(rank=1))}


async def test_a_rank_that_differs_from_the_list_is_reported(store: Database) -> None:
    system = System(store, BobAlwaysLeads)
    main = await system.create_board()
    report = await verify(system.ledger, system.ranking, main)
    assert report.differences == [f"ranking of {table(main)}: bob differs"]
