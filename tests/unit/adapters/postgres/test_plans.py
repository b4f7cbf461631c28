"""The number of pages that each read touches with plans made for empty tables.

A plan is kept as long as its connection, and each month starts with an empty partition.
"""

import json
from collections.abc import AsyncIterator, Collection, Iterator
from functools import partial
from typing import Any

import pytest

from harness.waiting import eventually
from scoreboard.adapters.postgres import ledger, ranking
from scoreboard.adapters.postgres.database import Connection, Database
from scoreboard.adapters.postgres.maintenance import analyze_grown, create_partitions
from scoreboard.domain import event_id
from tests.making import NOON
from tests.unit.adapters.postgres.conftest import Process

pytestmark = pytest.mark.slow

ROWS = 60_000
FEW_PAGES = 200  # an index alone has more
TENANT = """
  INSERT INTO apps (app, name, time_zone) VALUES ('game', 'Game', 'UTC');
  INSERT INTO boards (app, board, definition) VALUES (1, 'main', '{}');
  INSERT INTO tables (board, season, region) VALUES (1, 'all', '');
  INSERT INTO credentials (app, name) VALUES (1, 'server:one');
"""
FILL = f"""
  INSERT INTO players (app, player) SELECT 1, 'p' || n FROM generate_series(1, {ROWS}) n;
  INSERT INTO standings (tbl, player, score, reached_at, version, event, player_id)
  SELECT 1, number, number, {NOON}, 1, '', player FROM players;
  INSERT INTO ledger (accepted_at, tbl, player, value, score, credential, event)
  SELECT at, 1, 1 + at % {ROWS}, 1, 1, 1, int8send((at / 1000) << 16 | (7 << 12) | (at % 1000)) || int8send(-1)
  FROM generate_series({NOON}, {NOON + ROWS - 1}) at;
"""  # noqa: S608 - constant numbers
HISTORY = "SELECT * FROM ledger WHERE player = $1 AND player > 0 ORDER BY accepted_at DESC LIMIT 20"
BEST = f"p{ROWS - 5}"


def event(at: int) -> str:
    prefix = event_id.make(at, 0)[:8] + b"\xff" * 8
    return f"'\\x{prefix.hex()}'"


def reads() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each read, its statement and its values."""
    sql, at = ledger.SQL, NOON + 50
    yield "outcome", sql["outcome"], f"1, {event(at)}, {at}"
    yield "window", sql["entries_window"], f"{event(at)}, {at}, 100"
    yield "entries", sql["entries_between"], f"1, {event(at)}, {event(at + 20)}, {at}, {at + 20}, 20"
    facts = "'{496824}', '{5}', '{action_per_day}', '{1/1}'"
    yield "state", sql["state"], f"'{{1}}', '{{5}}', ARRAY[{event(at)}::bytea], '{{1}}', '{{key}}', {facts}"
    yield "history", HISTORY, "5"
    rules: tuple[bool, Any, Any] = (True, "earliest", "ordinal")
    yield "top", ranking.statement("slice", *rules), "1, 'all', '', 0, 10"
    yield "rank", ranking.statement("ranks", *rules), f"1, 'all', '', 1, '{{{BEST}}}'"
    yield "around", ranking.statement("around", *rules), f"1, 'all', '', 1, '{BEST}', 10"


def pages(plan: list[Any]) -> int:
    (found,) = plan
    return int(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"])


def wasteful_of_the_ledger(found: Collection[str]) -> set[str]:
    return {"outcome", "window", "entries", "history"}.intersection(found)


async def analyzed(store: Database) -> bool:
    """Return whether the analysis is visible; the server reports it with a delay."""
    await analyze_grown(store)
    ((left,),) = await store.fetch("SELECT count(*) FROM pg_class WHERE relname = 'standings' AND reltuples < $1", ROWS)
    return not left


@pytest.fixture
async def store(process: Process) -> Database:
    return await process()


@pytest.fixture
async def connection(store: Database) -> AsyncIterator[Connection]:
    await create_partitions(store, NOON, 1)
    connection = await store.connection()
    yield connection
    await connection.close()


@pytest.mark.parametrize("plans", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("analyzed_empty", [True, False])
async def test_a_plan_for_an_empty_table_reads_few_pages_of_a_full_one(
    store: Database, connection: Connection, plans: str, *, analyzed_empty: bool
) -> None:
    await connection.execute(TENANT + (";ANALYZE" if analyzed_empty else ""))
    await connection.execute(f"SET plan_cache_mode = {plans}")
    for name, statement, values in reads():
        await connection.execute(f"PREPARE {name}_read AS {statement}")
        await connection.execute(f"EXECUTE {name}_read ({values})")
    await connection.execute(FILL)

    async def wasteful() -> dict[str, int]:
        """Return the numbers of pages of the reads that touch too many."""
        touched = {}
        for name, _, values in reads():
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {name}_read ({values})"
            touched[name] = pages(json.loads(await connection.fetchval(explained)))
        return {name: count for name, count in touched.items() if count > FEW_PAGES}

    assert not wasteful_of_the_ledger(await wasteful())  # at once, as each month begins with an empty partition
    await eventually(partial(analyzed, store))
    assert await wasteful() == {}
