"""Trim: keep the ranking's cache to the tables and the depth that are needed."""

import structlog

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ranking import RankingCache
from scoreboard.domain.board import Board
from scoreboard.domain.season import was_over
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

PAST_DAYS = 7  # from the end of a season until its tables are evicted
DAY_US = 86_400 * 1_000_000


def is_past(key: TableKey, board: Board, now: int) -> bool:
    """Return whether a season ended PAST_DAYS before `now`: the totals then serve it."""
    return was_over(board.period, board.time_zone, key.season, now - PAST_DAYS * DAY_US)


class Trim:
    """The job that evicts unneeded tables, and resizes those whose cap has changed."""

    def __init__(self, directory: Directory, cache: RankingCache, clock: Clock) -> None:
        self._directory = directory
        self._cache = cache
        self._clock = clock

    async def once(self) -> list[TableKey]:
        """Evict the tables of past seasons and of deleted boards, and return their keys."""
        cached = await self._cache.cached_tables()
        boards = {
            board.pk: board for app in await self._directory.apps() for board in await self._directory.boards(app)
        }
        evicted = []
        for key in cached:
            board = boards.get(key.board)
            if board is None or is_past(key, board, self._clock()):
                await self._cache.evict(key)
                evicted.append(key)
            else:
                await self._cache.rebuild_if_resized(key, board)
        if evicted:
            log.info("tables_trimmed", tables=len(evicted))
        return evicted
