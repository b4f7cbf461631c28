"""PublicBoards: the boards that anyone may read, for pages that list them."""

import time

from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.domain.board import Board
from scoreboard.domain.errors import NotFound
from scoreboard.domain.season import season_at

MAX_LISTED = 200  # boards
MAX_SEASONS = 24  # of one board
CACHED_S = 1.0


class PublicBoards:
    """The public boards and their seasons. The list is cached for CACHED_S seconds."""

    def __init__(self, directory: Directory, ledger: Ledger, clock: Clock) -> None:
        self._directory = directory
        self._ledger = ledger
        self._clock = clock
        self._listed: list[Board] = []
        self._expires_at = 0.0

    async def listed(self) -> list[Board]:
        """Return at most MAX_LISTED public boards, in the order of app and board."""
        if time.monotonic() >= self._expires_at:
            self._listed = await self._list()
            self._expires_at = time.monotonic() + CACHED_S
        return self._listed

    async def shown(self, app: str | None, board: str | None) -> Board | None:
        """Return the named board, or the first that matches; None if none is public."""
        if app is not None and board is not None:
            return await self._public(app, board)
        for listed in await self.listed():
            if app in {None, listed.app.slug} and board in {None, listed.slug}:
                found = await self._public(listed.app.slug, listed.slug)
                if found is not None:
                    return found
        return None

    async def seasons(self, board: Board) -> list[str]:
        """Return the current season, then the newest others that had a standing."""
        current = season_at(board.period, board.time_zone, self._clock()).name
        held = {key.season for key in await self._ledger.tables(board)} - {current}
        return [current, *sorted(held, reverse=True)][:MAX_SEASONS]

    async def _public(self, app: str, board: str) -> Board | None:
        try:
            found = await self._directory.board(app, board)
        except NotFound:
            return None
        return found if found.public else None

    async def _list(self) -> list[Board]:
        listed: list[Board] = []
        for app in await self._directory.apps():
            listed += [board for board in await self._directory.boards(app) if board.public]
            if len(listed) >= MAX_LISTED:
                break
        return listed[:MAX_LISTED]
