"""How `/v1` names the table that a live connection watches."""

from scoreboard.application.live.hub import ChannelKey
from scoreboard.application.standings.reads import CURRENT
from scoreboard.domain.submission import WORLD, TableKey


def channel_key(table: TableKey, season: str | None) -> ChannelKey:
    """The channel of a table; one that follows the current season where `season` names none."""
    return ChannelKey(table.board, None if season in {None, CURRENT} else table.season, table.region or WORLD)
