"""Publisher: send the changed top N of a table to its open pages.

The first change after a quiet time is sent at once. Under constant changes, the pause between two messages of a table
grows with the cost of the last one. So sending takes at most a fixed share of the time. Each message is the newest.
"""

import asyncio
from collections.abc import Callable

import structlog

from scoreboard.application.live.hub import Channel, ChannelKey, Hub
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.standings.reads import Reads
from scoreboard.domain.board import Board
from scoreboard.domain.errors import NotFound, Unavailable
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey

log = structlog.get_logger(__name__)

MIN_PAUSE_S = 0.02
RETRY_COST_S = 0.05  # assumed for a table that could not be read
SHARE = 4  # pauses per cost: the messages of one table take at most a fifth of the time


class Publisher:
    """The publisher of a process, with one task per channel that changes."""

    def __init__(
        self, hub: Hub, reads: Reads, clock: Clock, *, min_pause_s: float = MIN_PAUSE_S, share: float = SHARE
    ) -> None:
        self._hub = hub
        self._reads = reads
        self._clock = clock
        self._min_pause_s = min_pause_s
        self._share = share
        self.busy: dict[Channel, asyncio.Task[None]] = {}
        self._dirty: set[Channel] = set()

    def changed(self, board: Board, key: TableKey) -> None:
        """Publish a table whose standings or names changed."""
        self._touch(self._hub.channel(ChannelKey(board.pk, key.season, key.region)))
        if board.period == "all_time" or self._current(board) == key.season:
            self._touch(self._hub.channel(ChannelKey(board.pk, None, key.region)))

    def table_changed(self, key: TableKey) -> None:
        """Publish a table that another process changed. Its channels know the board."""
        self._touch(self._hub.channel(ChannelKey(key.board, key.season, key.region)))
        following = self._hub.channel(ChannelKey(key.board, None, key.region))
        if following is not None and self._current(following.board) == key.season:
            self._touch(following)

    def boards_changed(self, selected: Callable[[Board], bool]) -> None:
        """Publish all channels of the selected boards: their rules or names changed."""
        for channel in self._hub.channels():
            if selected(channel.board):
                self._touch(channel)

    async def newly_watched(self, within_s: float) -> None:
        """Wait until a table gets its first session, at most `within_s` seconds."""
        try:
            async with asyncio.timeout(within_s):
                await self._hub.watched.wait()
        except TimeoutError:
            return
        self._hub.watched.clear()

    def watched_tables(self) -> dict[TableKey, Board]:
        """Return the tables that have sessions, with their boards."""
        return {
            TableKey(key.board, key.season or self._current(channel.board), key.region): channel.board
            for channel in self._hub.channels()
            for key in (channel.key,)
        }

    async def turn_seasons(self) -> None:
        """Publish what follows the current season and shows an earlier one.

        The season of an update does not depend on this job: `accepted_at` decides it.
        """
        for channel in self._hub.channels():
            if channel.key.season is None and self._current(channel.board) != channel.season:
                self._touch(channel)

    def board_restricted(self, board_pk: int, board: Board | None) -> None:
        """End the sessions that may no longer watch a private or deleted (None) board."""
        for channel in self._hub.channels():
            if channel.key.board == board_pk:
                self._hub.revoke(channel, board)

    async def close(self) -> None:
        """Cancel all publications, and wait for their end."""
        tasks = list(self.busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _current(self, board: Board) -> str:
        return season_at(board.period, board.time_zone, self._clock()).name

    def _touch(self, channel: Channel | None) -> None:
        if channel is None:
            return
        self._dirty.add(channel)
        if channel not in self.busy:
            self.busy[channel] = asyncio.create_task(self._publish(channel))

    async def _publish(self, channel: Channel) -> None:
        try:
            while channel in self._dirty:
                self._dirty.discard(channel)
                cost_s = await self._publish_once(channel)
                await asyncio.sleep(max(self._min_pause_s, self._share * cost_s))
        finally:
            self._dirty.discard(channel)
            del self.busy[channel]

    def _retry(self, channel: Channel) -> float:
        """Repeat a failed read unless all sessions left. Return the assumed cost."""
        if channel.sessions:
            self._dirty.add(channel)
        return RETRY_COST_S

    async def _publish_once(self, channel: Channel) -> float:
        try:
            top = await self._reads.live_top(channel.board, channel.key.season, channel.key.region)
        except NotFound:
            return 0.0
        except (NotRanked, Unavailable):
            return self._retry(channel)
        except Exception:
            log.exception("publish_failed", channel=channel.key)
            return self._retry(channel)
        return await self._hub.publish(channel, top)
