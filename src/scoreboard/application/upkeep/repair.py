"""Repair: rank the updates that a failure left committed but not ranked."""

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

# So many standings are pending only after an outage: fewer are in flight from the ledger to the ranking at any time.
MANY = 1_000


class Repair:
    """The job that applies the ledger's pending projections to the ranking."""

    def __init__(self, directory: Directory, ledger: Ledger, ranking: Ranking, publisher: Publisher) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self._publisher = publisher
        self.unranked = 0  # standings that the last run could not rank

    async def catch_up(self) -> None:
        """Rank until few projections are pending: a store may return them in parts."""
        while await self.once() >= MANY:
            pass

    async def once(self) -> int:
        """Rank and publish pending projections, and return the number of standings.

        Repeats are harmless: the ranking ignores a standing that is not newer than its own. After an error the
        projections stay pending.
        """
        notes, standings = await self._ledger.pending_projections()
        if not notes:
            return 0  # the standings of acknowledged notes, which a store may still return, are ranked
        self.unranked = len(standings)
        boards = {
            board.pk: board for app in await self._directory.apps() for board in await self._directory.boards(app)
        }
        by_table: dict[TableKey, dict[str, Standing]] = {}
        for key, player, standing in standings:
            by_table.setdefault(key, {})[player] = standing
        for key, rows in by_table.items():
            if key.board in boards:
                await self._apply(boards[key.board], key, rows)
        await self._ledger.ack_projections(notes)
        self.unranked = 0
        return len(standings)

    async def _apply(self, board: Board, key: TableKey, rows: dict[str, Standing]) -> None:
        try:
            await self._ranking.apply(key, board, rows, place=False)
        except NotRanked:
            return  # a build of this table is under way and includes these standings
        self._publisher.changed(board, key)
