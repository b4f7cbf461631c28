"""Repair: what was made durable but not ranked, because something failed between the two, is ranked again."""

import asyncio

import structlog

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

EVERY_S = 5.0
MANY = 1_000  # standings: more than are on their way from a ledger to a ranking at any time but after an outage


class Repair:
    def __init__(self, directory: Directory, ledger: Ledger, ranking: Ranking, publish: Publisher) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self._publish = publish
        self.unranked = 0  # standings, when last looked

    async def run(self) -> None:
        """For ever, every few seconds."""
        while True:
            try:
                while await self.once() >= MANY:
                    pass  # a store may tell a part at a time
            except Unavailable as error:
                log.debug("repair_put_off", code=error.code)  # what is away was said where it was found
            except Exception:
                log.exception("repair_failed")
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """Rank what the projection notes name; returns how many standings. Repeats are harmless: versions decide."""
        notes, standings = await self._ledger.pending_projections()
        if not notes:
            return 0  # a store may still tell standings of those that are done with
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
            return  # the table being made will have them
        self._publish.changed(board, key)
