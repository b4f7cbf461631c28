"""Publisher: tell every open page, when a table's top N changed.

A change after quiet goes out at once. While changes go on, the pause between two messages of a table stretches with
what the last one cost, so that sending never takes more than a fixed share of the time; each message is the newest.
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
RETRY_COST_S = 0.05  # a table that could not be read counts as this dear
SHARE = 4  # the pause is this many times the cost: at most a fifth of the time goes into one table's messages


class Publisher:
    """One task a busy channel, none a quiet one."""

    def __init__(self, hub: Hub, reads: Reads, clock: Clock) -> None:
        self._hub = hub
        self._reads = reads
        self._clock = clock
        self.busy: dict[Channel, asyncio.Task[None]] = {}
        self._dirty: set[Channel] = set()

    def changed(self, board: Board, key: TableKey) -> None:
        """Standings of this table changed, or names on it."""
        self._touch(self._hub.channel(ChannelKey(board.pk, key.season, key.region)))
        if board.period == "all_time" or self._current(board) == key.season:
            self._touch(self._hub.channel(ChannelKey(board.pk, None, key.region)))

    def table_changed(self, key: TableKey) -> None:
        """As `changed`, heard from another process: only who watches the table knows its board."""
        self._touch(self._hub.channel(ChannelKey(key.board, key.season, key.region)))
        following = self._hub.channel(ChannelKey(key.board, None, key.region))
        if following is not None and self._current(following.board) == key.season:
            self._touch(following)

    def boards_changed(self, which: Callable[[Board], bool]) -> None:
        """These boards themselves changed, or the names on them: look at their channels again."""
        for channel in self._hub.channels():
            if which(channel.board):
                self._touch(channel)

    async def newly_shown(self, within_s: float) -> None:
        """Returns when a table is shown that was not before, or after a while."""
        try:
            async with asyncio.timeout(within_s):
                await self._hub.watched.wait()
        except TimeoutError:
            return
        self._hub.watched.clear()

    def shown(self) -> dict[TableKey, Board]:
        """The tables that somebody watches."""
        return {
            TableKey(key.board, key.season or self._current(channel.board), key.region): channel.board
            for channel in self._hub.channels()
            for key in (channel.key,)
        }

    def seasons_turned(self) -> None:
        """Look again at every channel that follows the current season and shows another."""
        for channel in self._hub.channels():
            if channel.key.season is None and self._current(channel.board) != channel.season:
                self._touch(channel)

    def board_restricted(self, number: int, board: Board | None) -> None:
        """The board is public no more, or gone (None): who may not watch it any longer is sent nothing more."""
        for channel in self._hub.channels():
            if channel.key.board == number:
                self._hub.revoke(channel, board)

    async def close(self) -> None:
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
                await asyncio.sleep(max(MIN_PAUSE_S, SHARE * cost_s))
        finally:
            self._dirty.discard(channel)
            del self.busy[channel]

    def _again(self, channel: Channel) -> float:
        """What could not be read now is looked at again, as long as somebody watches."""
        if channel.sessions:
            self._dirty.add(channel)
        return RETRY_COST_S

    async def _publish_once(self, channel: Channel) -> float:
        """The cost, in seconds."""
        try:
            top = await self._reads.live_top(channel.board, channel.key.season, channel.key.region)
        except NotFound:
            return 0.0
        except (NotRanked, Unavailable):
            return self._again(channel)
        except Exception:
            log.exception("publish_failed", channel=channel.key)
            return self._again(channel)
        return await self._hub.publish(channel, top)
