"""Trim: what nobody needs in the ranking's cache is taken out, and what fell short of the cap is filled up."""

import asyncio

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ranking import RankingCache
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.season import was_over
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

EVERY_S = 60.0
PAST_DAYS = 7
DAY_US = 86_400 * 1_000_000


def is_past(key: TableKey, board: Board, now: int) -> bool:
    """Whether the season of a table was over so long ago that it is read from the totals."""
    return was_over(board.period, board.time_zone, key.season, now - PAST_DAYS * DAY_US)


class Trim:
    def __init__(self, directory: Directory, cache: RankingCache, clock: Clock) -> None:
        self._directory = directory
        self._cache = cache
        self._clock = clock

    async def run(self) -> None:
        """For ever, every minute."""
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.debug("trim_put_off", code=error.code)  # what is away was said where it was found
            except Exception:
                log.exception("trim_failed")
            await asyncio.sleep(EVERY_S)

    async def once(self) -> list[TableKey]:
        """Returns the tables that were forgotten: of seasons long past, and of boards that are no more."""
        cached = await self._cache.cached_tables()
        boards = {
            board.pk: board for app in await self._directory.apps() for board in await self._directory.boards(app)
        }
        forgotten = []
        for key in cached:
            board = boards.get(key.board)
            if board is None or is_past(key, board, self._clock()):
                await self._cache.evict(key)
                forgotten.append(key)
            else:
                await self._cache.rebuild_if_resized(key, board)
        if forgotten:
            log.info("tables_trimmed", tables=len(forgotten))
        return forgotten
