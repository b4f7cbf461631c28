"""Statistics: what the planner knows of tables that fill up, sooner than autovacuum looks (each minute at the soonest).

A plan that was made while a table was empty may read all of it, and is kept until the table is analyzed.
"""

from scoreboard.adapters.postgres.database import Database, statements

SQL = statements("statistics.sql")


async def analyze_grown(database: Database) -> list[str]:
    """The names of the tables analyzed. All connections make their plans of these anew."""
    grown = [name for (name,) in await database.fetch(SQL["grown"])]
    for name in grown:
        await database.fetch(f"ANALYZE {name}")
    return grown
