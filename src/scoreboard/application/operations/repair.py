"""Repair: what was made durable but not ranked, because something failed between the two, is ranked again."""

import asyncio

import structlog

from scoreboard.application.pipeline.publish import Publish
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import NotRanked, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

log = structlog.get_logger(__name__)

EVERY_S = 5.0


class Repair:
    def __init__(self, directory: Directory, ledger: Ledger, ranking: Ranking, publish: Publish) -> None:
        self._directory = directory
        self._ledger = ledger
        self._ranking = ranking
        self._publish = publish

    async def run(self) -> None:
        """For ever, every few seconds."""
        while True:
            try:
                await self.once()
            except Exception:
                log.exception("repair_failed")
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """Rank what the projection notes name; returns how many standings. Repeats are harmless: versions decide."""
        notes, standings = await self._ledger.unranked()
        boards = {
            board.number: board for app in await self._directory.apps() for board in await self._directory.boards(app)
        }
        by_table: dict[TableKey, dict[str, Standing]] = {}
        for key, player, standing in standings:
            by_table.setdefault(key, {})[player] = standing
        for key, rows in by_table.items():
            if key.board in boards:
                await self._apply(boards[key.board], key, rows)
        await self._ledger.ranked(notes)
        return len(standings)

    async def _apply(self, board: Board, key: TableKey, rows: dict[str, Standing]) -> None:
        try:
            await self._ranking.apply(key, board, rows, place=False)
        except NotRanked:
            return  # the table being made will have them
        self._publish.changed(board, key)
