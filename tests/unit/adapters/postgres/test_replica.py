"""Reads through a real replica, which are always as recent as the primary."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import asyncpg
import pytest
from structlog.typing import EventDict

from harness.servers.postgres import TIMEOUTS, Server, fresh_database, open_database, postgres, query
from harness.waiting import eventually
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.postgres.replica import Replica, ReplicaUnusable, open_replica
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import Player
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import WORLD, TableKey
from tests.making import submission
from tests.unit.adapters.postgres.conftest import rows
from tests.unit.adapters.postgres.test_ledger import create_board

pytestmark = pytest.mark.slow

WHERE = "SELECT pg_is_in_recovery()"
ADD = "INSERT INTO directory_version (version) VALUES ($1)"
# It takes long on a replica only.
LONG_ON_REPLICA = """
  SELECT pg_sleep(CASE WHEN pg_is_in_recovery() THEN 60 ELSE 0 END), pg_is_in_recovery()
  FROM (SELECT count(*) FROM uses) counted
"""
GREATEST = "SELECT max(version) FROM directory_version"


@pytest.fixture
def follower(server: Server) -> Iterator[Server]:
    with postgres(of=server) as started:
        yield started


class Pair:
    """A database on the primary, and the same on its replica."""

    def __init__(self, primary: Database, replica: Replica, url: str, replica_url: str) -> None:
        self.primary = primary
        self.replica = replica
        self.url = url
        self.replica_url = replica_url

    async def is_used(self) -> bool:
        return bool((await self.replica.fetch(WHERE))[0][0])

    async def is_usable(self) -> bool:
        """Return whether a check finds the replica usable."""
        try:
            await self.replica.check()
        except (ReplicaUnusable, Unavailable, *database.FAULTS):
            return False
        return True

    async def is_level(self) -> bool:
        """Return whether the replica had all commits before a check."""
        return await self.is_usable() and self.replica.lag_s == 0

    async def replay(self, verb: str) -> None:
        """Run `pause` or `resume`."""
        await query(self.replica_url, f"SELECT pg_wal_replay_{verb}()")


@asynccontextmanager
async def paired(server: Server, follower: Server) -> AsyncIterator[Pair]:
    url = await fresh_database(server.url)
    replica_url = f"{follower.url.rpartition('/')[0]}/{url.rpartition('/')[2]}"
    async with open_database(url) as primary, open_replica(primary, replica_url) as replica:
        pair = Pair(primary, replica, url, replica_url)
        await eventually(pair.is_usable, "the replica has the database")
        yield pair


@pytest.fixture
async def pair(server: Server, follower: Server) -> AsyncIterator[Pair]:
    async with paired(server, follower) as both:
        yield both


async def test_a_read_has_all_earlier_commits(pair: Pair) -> None:
    for version in range(1, 200):
        await pair.primary.fetch(ADD, version)
        assert await rows(pair.replica.fetch(GREATEST)) == [(version,)]
    assert await pair.is_used()


async def test_while_replay_is_paused_reads_go_to_the_primary_and_that_is_logged_once(
    pair: Pair, logged: list[EventDict]
) -> None:
    logged.clear()
    await pair.replay("pause")
    pair.replica.timeouts = replace(TIMEOUTS, catch_up_s=0.1)
    for version in range(1, 4):
        await pair.primary.fetch(ADD, version)
        assert await rows(pair.replica.fetch(GREATEST)) == [(version,)]
        assert not await pair.is_usable()
    assert pair.replica.lag_s > 0
    assert not await pair.is_used()
    pair.replica.timeouts = TIMEOUTS
    await pair.replay("resume")
    await eventually(pair.is_level)
    assert await pair.is_used()
    assert [entry["event"] for entry in logged] == ["replica_not_used", "replica_used_again"]


async def test_reads_survive_the_death_of_the_replica_and_use_it_after_its_restart(
    pair: Pair, follower: Server, logged: list[EventDict]
) -> None:
    logged.clear()
    stopping = asyncio.Event()

    async def read_on() -> int:
        reads = 0
        while not stopping.is_set():
            reads += 1
            await pair.primary.fetch(ADD, reads)
            assert await rows(pair.replica.fetch(GREATEST)) == [(reads,)]
        return reads

    reading = asyncio.create_task(read_on())
    await eventually(pair.is_used)
    follower.kill()
    await eventually(lambda: [entry["event"] for entry in logged] == ["replica_not_used"])
    assert not await pair.is_usable()
    assert math.isnan(pair.replica.lag_s)
    follower.start()
    await eventually(pair.is_usable)
    await eventually(pair.is_used)
    stopping.set()
    assert await reading
    assert [entry["event"] for entry in logged] == ["replica_not_used", "replica_used_again"]


async def test_a_long_read_that_replay_cancels_goes_to_the_primary(pair: Pair) -> None:
    await query(pair.replica_url, "ALTER SYSTEM SET max_standby_streaming_delay = 0")
    await query(pair.replica_url, "SELECT pg_reload_conf()")
    reading = asyncio.create_task(pair.replica.fetch(LONG_ON_REPLICA))
    sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    await eventually(partial(query, pair.replica_url, sleeping))
    await pair.primary.fetch("TRUNCATE uses")
    ((_, in_recovery),) = await reading
    assert not in_recovery


async def test_a_promoted_replica_or_one_of_another_server_is_not_used(
    pair: Pair, follower: Server, server: Server
) -> None:
    with postgres() as stranger:
        async with open_replica(pair.primary, stranger.url) as replica:
            with pytest.raises(ReplicaUnusable, match="not a replica"):
                await replica.check()
        with postgres(of=stranger) as other:
            async with open_replica(pair.primary, other.url) as replica:
                with pytest.raises(ReplicaUnusable, match="another server"):
                    await replica.check()
    await query(follower.url, "SELECT pg_promote()")
    await pair.primary.fetch(ADD, 7)
    assert await rows(pair.replica.fetch(GREATEST)) == [(7,)]
    with pytest.raises(ReplicaUnusable, match="not a replica"):
        await pair.replica.check()


async def test_a_user_without_privileges_can_use_the_replica(pair: Pair) -> None:
    await pair.primary.fetch("CREATE ROLE plain LOGIN")
    await pair.primary.fetch("GRANT SELECT ON directory_version TO plain")
    await eventually(pair.is_usable, "the replica has the role")
    url, replica_url = (url.replace("postgres@", "plain@") for url in (pair.url, pair.replica_url))
    async with open_database(url) as primary, open_replica(primary, replica_url) as replica:
        await replica.check()
        assert await rows(replica.fetch(WHERE)) == [(True,)]


async def test_an_error_of_the_data_does_not_disable_the_replica(pair: Pair) -> None:
    with pytest.raises(asyncpg.DataError):
        await pair.replica.fetch("SELECT $1::bigint", 2**64)
    assert await pair.is_used()


async def test_no_read_is_served_while_the_primary_is_down(pair: Pair, server: Server) -> None:
    """The replica may lack the last commits of the primary."""
    server.kill()
    try:
        with pytest.raises(Unavailable):
            await pair.replica.fetch(WHERE)
    finally:
        server.start()
    await eventually(pair.is_usable)


async def test_the_ledger_whole_tables_and_lists_of_players_are_read_from_the_replica(pair: Pair) -> None:
    primary = pair.primary
    ledger, directory = PostgresLedger(primary, reader=pair.replica), PostgresDirectory(primary, pair.replica)
    board = await create_board(primary)
    statements = []
    fetch = pair.replica.fetch

    async def recording(statement: str, *values: object) -> list[database.Record]:
        statements.append(statement)
        return await fetch(statement, *values)

    pair.replica.fetch = recording  # type: ignore[method-assign]  # a recorder
    one = submission(board, "ann")
    await ledger.transact([one], decide)
    assert [entry.event async for chunk in ledger.entries(board) for entry, _ in chunk] == [one.event]
    key = TableKey(board.pk, one.season, WORLD)
    assert [player async for chunk in ledger.standings(key) for player, _ in chunk] == ["ann"]
    assert await directory.players(board.app, "", 10) == [Player("ann", "ann")]
    read_count = len(statements)
    assert read_count
    assert await ledger.outcome(board.app, one.event)
    assert await ledger.standing(key, board.app, "ann")
    assert await directory.find_players(board.app, ["ann"])
    assert len(statements) == read_count
