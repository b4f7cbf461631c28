"""Counts of standings: what each batch added to a table is folded into one row, so that a total is read at once."""

from scoreboard.adapters.postgres.database import Database, statements

SQL = statements("counts.sql")


async def fold(database: Database) -> None:
    """No total changes by it, and nobody waits for it."""
    await database.fetch(SQL["fold"])
