"""Names of keys and channels."""

import re

from scoreboard.domain.submission import TableKey

_TABLE = re.compile(r"sb:\{([0-9]+):([A-Za-z0-9_-]+):([a-z0-9_-]*)\}")
_CHANGED = ":changed"


def of(table: TableKey) -> str:
    """Return the prefix of all keys of a table, `sb:{board:season:region}`.

    A Cluster hashes only the text in braces, so these keys share a slot. ValueError for a season or region with
    characters that are not allowed.
    """
    name = f"sb:{{{table.board}:{table.season}:{table.region}}}"
    if not _TABLE.fullmatch(name):
        raise ValueError(f"not the key of a table: {table}")
    return name


def changed(table: TableKey) -> str:
    """Return the channel on which changes of a table's top N are published."""
    return of(table) + _CHANGED


def table_of(channel: str) -> TableKey | None:
    """Return the table of such a channel; None for any other channel."""
    found = _TABLE.fullmatch(channel.removesuffix(_CHANGED)) if channel.endswith(_CHANGED) else None
    return None if found is None else TableKey(int(found[1]), found[2], found[3])
