"""How keys and channels are named."""

import re

from scoreboard.domain.submission import TableKey

_TABLE = re.compile(r"sb:\{([0-9]+):([A-Za-z0-9_-]+):([a-z0-9_-]*)\}")
_CHANGED = ":changed"


def of(table: TableKey) -> str:
    """What the names of all keys of a table begin with, `sb:{board:season:region}`. A Cluster hashes what is in the
    braces only, so they share a slot. ValueError for a season or region with characters that no name has."""
    name = f"sb:{{{table.board}:{table.season}:{table.region}}}"
    if not _TABLE.fullmatch(name):
        raise ValueError(f"not the key of a table: {table}")
    return name


def changed(table: TableKey) -> str:
    """The channel on which a change to a table's top N is told."""
    return of(table) + _CHANGED


def table_of(channel: str) -> TableKey | None:
    """The table whose changes are told on this channel; None when it is no such channel."""
    found = _TABLE.fullmatch(channel.removesuffix(_CHANGED)) if channel.endswith(_CHANGED) else None
    return None if found is None else TableKey(int(found[1]), found[2], found[3])
