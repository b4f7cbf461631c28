"""Partitions of the ledger: one a month of `accepted_at`, by UTC, made before it begins."""

from datetime import UTC, datetime, timedelta

from scoreboard.adapters.postgres.database import Connection, Database

MAKE = "SELECT make_ledger_partition($1, $2, $3)"
MOVE_S = 3_600.0


async def ensure_ahead(database: Database, now: int, months: int) -> list[str]:
    """Make the partitions of the month of `now` (microseconds since 1970) and of so many after it; returns the names of
    those that were not there. What the default has of such a month goes into its partition: as long as that takes,
    updates wait, so it is for little. Safe to run at once."""
    made = []
    first = datetime.fromtimestamp(now // 1_000_000, UTC).replace(day=1, hour=0, minute=0, second=0)
    for _ in range(months + 1):
        following = (first + timedelta(days=31)).replace(day=1)
        name = f"ledger_{first:%Y_%m}"
        if await _made(database, name, _micros(first), _micros(following)):
            made.append(name)
        first = following
    return made


async def _made(database: Database, name: str, first: int, beyond: int) -> bool:
    async def work(c: Connection) -> bool:
        await c.execute("SET LOCAL statement_timeout = 0")
        return bool(await c.fetchval(MAKE, name, first, beyond, timeout=MOVE_S))

    return await database.transaction(work, within_s=MOVE_S)


def _micros(month: datetime) -> int:
    return int(month.timestamp()) * 1_000_000
