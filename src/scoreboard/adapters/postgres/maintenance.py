"""Maintenance of partitions, counts of standings and the planner's statistics."""

from datetime import UTC, datetime, timedelta

from scoreboard.adapters.postgres.database import Connection, Database, statements

SQL = statements("maintenance.sql")
MOVE_S = 3_600.0


async def create_partitions(database: Database, now: int, months: int) -> list[str]:
    """Create the partitions of this and some following months; return the new names.

    `now` is in microseconds since 1970. Rows move from the default partition to the new one, and updates wait for that.
    So call this before a month begins. Concurrent calls are safe.
    """
    created = []
    first = datetime.fromtimestamp(now // 1_000_000, UTC).replace(day=1, hour=0, minute=0, second=0)
    for _ in range(months + 1):
        following = (first + timedelta(days=31)).replace(day=1)
        values = f"ledger_{first:%Y_%m}", _to_micros(first), _to_micros(following)

        async def create(c: Connection, values: tuple[str, int, int] = values) -> bool:
            await c.execute("SET LOCAL statement_timeout = 0")
            return bool(await c.fetchval(SQL["create_partition"], *values, timeout=MOVE_S))

        if await database.transaction(create, within_s=MOVE_S):
            created.append(values[0])
        first = following
    return created


async def fold_counts(database: Database) -> None:
    """Fold the counts of each table into one row. No total changes, no update waits."""
    await database.fetch(SQL["fold_counts"])


async def analyze_grown(database: Database) -> list[str]:
    """Analyze the tables that have grown, and return their names.

    A plan that was made for an empty table may read all of it, and is kept until the table is analyzed. Autovacuum
    checks once a minute at most.
    """
    grown = [name for (name,) in await database.fetch(SQL["grown_tables"])]
    for name in grown:
        await database.fetch(f"ANALYZE {name}")
    return grown


def _to_micros(month: datetime) -> int:
    return int(month.timestamp()) * 1_000_000
