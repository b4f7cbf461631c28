"""Channels of `/v1`, by the table that a live connection watches."""

from scoreboard.application.live.hub import ChannelKey
from scoreboard.application.standings.reads import CURRENT
from scoreboard.domain.submission import WORLD, TableKey


def channel_key(table: TableKey, season: str | None) -> ChannelKey:
    """Return the channel of a table; without a `season` it follows the current one."""
    return ChannelKey(table.board, None if season in {None, CURRENT} else table.season, table.region or WORLD)
