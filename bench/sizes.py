"""`python -m bench.sizes`: the size of many rows in PostgreSQL, and read times.

It loads standings and a ledger with the real schema into its own database, which it drops at the end. Progress goes
to stderr.
"""

import argparse
import asyncio
import math
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial

import asyncpg

from harness.servers.postgres import Server, postgres
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.maintenance import create_partitions
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.adapters.postgres.timeouts import DEFAULTS
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.domain.board import App, Board
from scoreboard.domain.submission import WORLD, TableKey

STANDINGS, LEDGER = 10_000_000, 100_000_000  # the sizes of published figures
CHUNK = 1_000_000  # rows in one statement
ROUNDS = 8
HISTORY = 20  # entries read
NOT_MEASURED = "NOT MEASURED"
STARTED_AT = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
MONTHS = 3  # of the ledger
SCORES = 1_000_000  # the highest score; scores are uniform
MONTHS_US = 90 * 86_400 * 1_000_000

# The server makes the rows from the first to the last number, several times faster than a client could. An event has
# the instant and version of a UUIDv7; the rest is random.
EVENT = "int8send((at / 1000) << 16 | (7 << 12) | (at % 1000)) || substr(uuid_send(gen_random_uuid()), 9)"
PLAYERS = """
  INSERT INTO players (number, app, player) OVERRIDING SYSTEM VALUE
  SELECT n, $3, 'player-' || lpad(n::text, 9, '0') FROM generate_series($1::bigint, $2::bigint) AS n
"""
STANDING_ROWS = f"""
  INSERT INTO standings (tbl, player, score, reached_at, version, event, player_id)
  SELECT $3, n, random() * {SCORES}, at, at, {EVENT}, 'player-' || lpad(n::text, 9, '0')
  FROM generate_series($1::bigint, $2::bigint) AS n
  CROSS JOIN LATERAL (SELECT {STARTED_AT} + (random() * {MONTHS_US})::bigint + 0 * n) AS accepted (at)
"""  # noqa: S608 - numbers of our own
# In order of acceptance, each of a random player.
LEDGER_ROWS = f"""
  INSERT INTO ledger (accepted_at, tbl, player, value, score, previous_score, credential, event)
  SELECT at, $3, 1 + (random() * ($4::bigint - 1))::bigint, 1, score, score - 1, 1, {EVENT}
  FROM generate_series($1::bigint, $2::bigint) AS n
  CROSS JOIN LATERAL (
    SELECT {STARTED_AT} + (n::float8 / ($5::bigint + 1) * {MONTHS_US})::bigint, (random() * {SCORES})::bigint + 0 * n
  ) AS entry (at, score)
"""  # noqa: S608 - numbers of our own
TENANT = (
    "INSERT INTO apps (app, name, time_zone) VALUES ('game', 'Game', 'UTC') RETURNING number",
    "INSERT INTO boards (app, board, definition) VALUES ($1, 'main', '{}') RETURNING number",
    "INSERT INTO tables (board, season, region) VALUES ($1, 'all', '') RETURNING number",
)
# Tables, each before its indexes. Partitions count as part of their table.
RELATIONS = """
  SELECT name, of, sum(bytes)::bigint FROM (
    SELECT
      coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
      coalesce(pg_partition_root(i.indrelid), i.indrelid)::regclass::text AS of,
      pg_relation_size(c.oid) AS bytes
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
  ) relations
  WHERE coalesce(of, name) = ANY ($1::text[])
  GROUP BY name, of
  ORDER BY coalesce(of, name), of NULLS FIRST, name
"""
HISTORY_OF = "SELECT * FROM ledger WHERE player = $1 AND player > 0 ORDER BY accepted_at DESC LIMIT $2"

NEAR = """
  WITH here AS NOT MATERIALIZED (
    SELECT score, player_id FROM standings WHERE tbl = (SELECT number FROM tables WHERE board = $1)
  )
  (SELECT player_id FROM here WHERE score <= $2 ORDER BY score DESC LIMIT 1)
  UNION ALL (SELECT player_id FROM here WHERE score > $2 ORDER BY score LIMIT 1)
  LIMIT 1
"""
EXPLAINED = (
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_buffers = on",
    "auto_explain.log_timing = off",
)
# Settings for a load of this size. Commits wait for the disk, because VACUUM marks only durable rows as all visible.
SERVER = (
    "shared_buffers=4GB",
    "max_wal_size=20GB",
    "checkpoint_timeout=30min",
    "wal_level=minimal",
    "max_wal_senders=0",
    "maintenance_work_mem=1GB",
    "autovacuum=off",
)

Read = Callable[[], Awaitable[object]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("--standings", type=int, default=STANDINGS, metavar="N", help=f"({STANDINGS:,})")
    parser.add_argument("--ledger", type=int, default=LEDGER, metavar="M", help=f"rows ({LEDGER:,})")
    parser.add_argument("--url", help="of PostgreSQL (default: start a server for this run)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="maximum time to load the ledger")
    parser.add_argument("--plans", action="store_true", help="print query plans too (not with --url)")
    arguments = parser.parse_args()
    if arguments.standings < 1 or arguments.ledger < 0:
        parser.error("--standings must be at least 1 and --ledger at least 0")
    return arguments


async def _load(
    connection: "asyncpg.Connection[asyncpg.Record]",
    what: str,
    statement: str,
    count: int,
    *values: int,
    within_s: float = math.inf,
) -> int:
    """Load rows until all are there or the time is over. Return their number."""
    began, last = time.perf_counter(), 0
    while last < count and time.perf_counter() < began + within_s:
        first, last = last + 1, min(last + CHUNK, count)
        await connection.execute(statement, first, last, *values)
        rate = last / (time.perf_counter() - began)
        print(f"\r{what}: {last:,} of {count:,}, {rate:,.0f} rows/s ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return last


async def _fill(url: str, standings: int, ledger: int, within_s: float) -> tuple[TableKey, int]:
    """Load all rows. Return the table and the number of ledger rows."""
    async with database.open_database(url) as store:
        await create_partitions(store, STARTED_AT, MONTHS - 1)
    connection = await asyncpg.connect(url)
    try:
        app = await connection.fetchval(TENANT[0])
        board = await connection.fetchval(TENANT[1], app)
        table = await connection.fetchval(TENANT[2], board)
        await _load(connection, "players", PLAYERS, standings, app)
        await _load(connection, "standings", STANDING_ROWS, standings, table)
        values = table, standings, ledger
        loaded = await _load(connection, "ledger", LEDGER_ROWS, ledger, *values, within_s=within_s)
        print("vacuum analyze", file=sys.stderr)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return TableKey(board, "all", WORLD), loaded


async def _print_sizes(store: database.Database, counts: dict[str, int]) -> None:
    print(f"{'relation':<32} {'bytes':>16} {'a row':>8}")
    for name, of, size in await store.fetch(RELATIONS, list(counts)):
        rows = counts[of or name]
        label = f"  {name}" if of else f"{name} ({rows:,})"
        print(f"{label:<32} {size:>16,} {size / rows if rows else 0:>8.1f}")


async def _print_time(what: str, read: Read) -> None:
    times = []
    try:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await read()
            times.append(1_000 * (time.perf_counter() - began))
    except NotRanked:
        print(f"{what:<32} {NOT_MEASURED}: longer than {DEFAULTS.statement_s:.0f} s")
    else:
        print(f"{what:<32} {statistics.median(times):>10.2f} ms {max(times):>10.2f} ms max")


async def _reads(store: database.Database, key: TableKey) -> dict[str, Read]:
    ranking, board = PostgresRanking(store), Board(key.board, App(1, "game", "Game"), "main", "Main")
    reads: dict[str, Read] = {"top 10": lambda: ranking.slice(key, board, 0, 10)}
    for where, share in (("near the top", 0.0001), ("in the middle", 0.5), ("at the bottom", 0.9999)):
        ((player,),) = await store.fetch(NEAR, key.board, int(SCORES * (1 - share)))
        reads[f"rank {where}"] = partial(ranking.get_rank, key, board, player)
        reads[f"around {where}"] = partial(ranking.around, key, board, player, 5)
    reads[f"a player's last {HISTORY} entries"] = lambda: store.fetch(HISTORY_OF, 1, HISTORY)
    return reads


async def _print_times(store: database.Database, key: TableKey) -> None:
    print(f"\nmedian of {ROUNDS} reads, from memory as far as the server's cache holds it")
    for what, read in (await _reads(store, key)).items():
        await _print_time(what, read)


async def _print_plans(url: str, server: Server, key: TableKey) -> None:
    """Print the plans of the reads from the log of the server."""
    connection = await asyncpg.connect(url)
    try:
        for setting in EXPLAINED:
            await connection.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET {setting}")
    finally:
        await connection.close()
    async with database.open_database(url) as store:
        for what, read in (await _reads(store, key)).items():
            known = len(server.log())
            with suppress(NotRanked):
                await read()
            print(f"\n{what}\n{server.log()[known:]}")


def _not_run(counts: Sequence[tuple[str, int, int]]) -> None:
    for what, wanted, run in counts:
        if run < wanted:
            print(f"{wanted:,} {what}: {NOT_MEASURED}")


async def _measure(address: str, standings: int, ledger: int, within_s: float, explaining: Server | None) -> None:
    name = f"scoreboard_sizes_{os.getpid()}"
    url = f"{address.rpartition('/')[0]}/{name}"
    connection = await asyncpg.connect(address)
    try:
        version = await connection.fetchval("SHOW server_version")
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            await database.migrate(url)
            key, ledger = await _fill(url, standings, ledger, within_s)
            async with database.open_database(url) as store:
                print(f"PostgreSQL {version}")
                await _print_sizes(store, {"players": standings, "standings": standings, "ledger": ledger})
                await _print_times(store, key)
            if explaining is not None:
                await _print_plans(url, explaining, key)
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
    _not_run((("standings", STANDINGS, standings), ("ledger rows", LEDGER, ledger)))


def main() -> None:
    arguments = _arguments()
    server: AbstractContextManager[Server | None] = nullcontext() if arguments.url else postgres(*SERVER)
    with server as started:
        url = arguments.url or (started.url if started else "")
        explaining = started if arguments.plans else None
        asyncio.run(_measure(url, arguments.standings, arguments.ledger, 60 * arguments.minutes, explaining))


if __name__ == "__main__":
    main()
