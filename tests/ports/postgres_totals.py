"""The totals in PostgreSQL as the ledger keeps them, for tests of their readers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from harness.servers.postgres import fresh_database, open_database
from scoreboard.adapters.postgres.database import Database
from scoreboard.adapters.postgres.ranking import PostgresRanking
from scoreboard.application.ports.ranking import RankChange
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, TableKey

EMPTY = "TRUNCATE apps, boards, players, tables, standings, standing_counts CASCADE"
APP = """
  INSERT INTO apps (number, app, name, time_zone) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $2, 'UTC')
  ON CONFLICT DO NOTHING
"""
BOARD = """
  INSERT INTO boards (number, app, board, definition) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $1::bigint::text, '{}')
  ON CONFLICT DO NOTHING
"""
TABLE = "INSERT INTO tables (board, season, region) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
PLAYERS = "INSERT INTO players (app, player) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING"
STANDINGS = """
  INSERT INTO standings (tbl, player, player_id, score, reached_at, version, event)
  SELECT t.number, p.number, p.player, new.score, new.reached_at, new.version, new.event
  FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[])
    AS new (player, score, reached_at, version, event)
  JOIN players p ON p.app = $4 AND p.player = new.player
  JOIN tables t ON t.board = $1 AND t.season = $2 AND t.region = $3
  ON CONFLICT (tbl, player) DO UPDATE SET
    score = excluded.score, reached_at = excluded.reached_at, version = excluded.version, event = excluded.event
  WHERE standings.version < excluded.version
"""
ALL = """
  SELECT s.player_id, s.score, s.reached_at, s.version, s.event FROM standings s JOIN tables t ON t.number = s.tbl
  WHERE t.board = $1 AND t.season = $2 AND t.region = $3
"""
REMOVE = """
  DELETE FROM standings s USING tables t
  WHERE s.tbl = t.number AND t.board = $1 AND t.season = $2 AND t.region = $3 AND s.player_id = $4 AND s.version <= $5
"""
REMOVE_ALL = """
  DELETE FROM standings s USING tables t
  WHERE s.tbl = t.number AND t.board = $1 AND t.season = $2 AND t.region = $3
"""


async def put(store: Database, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
    """Write the standings that are newer than those in the database."""
    await store.fetch(APP, board.app.pk, board.app.slug)
    await store.fetch(BOARD, board.pk, board.app.pk)
    await store.fetch(TABLE, *key)
    await store.fetch(PLAYERS, board.app.pk, list(standings))
    columns = zip(*(one[:4] for one in standings.values()), strict=True) if standings else [()] * 4
    await store.fetch(STANDINGS, *key, board.app.pk, list(standings), *map(list, columns))


class RankingOfTotals(PostgresRanking):
    """A ranking that writes standings to the totals first, as the ledger does."""

    def __init__(self, store: Database) -> None:
        super().__init__(store)
        self._store = store
        self._removed: dict[tuple[TableKey, str], int] = {}

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        alive = {name: new for name, new in standings.items() if new.version > self._removed.get((key, name), -1)}
        await put(self._store, key, board, alive)
        return await super().apply(key, board, standings, place=place)

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        self._removed[key, player] = version
        await self._store.fetch(REMOVE, *key, player, version)
        await super().remove(key, player, version)


class PostgresRankings:
    tells_before = False

    def __init__(self, url: str, store: Database) -> None:
        self._url = url
        self._store = store
        self.ranking = RankingOfTotals(store)

    def given(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self._given(key, board, standings)).result()

    async def load(self, key: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        rows = await self._store.fetch(ALL, *key)
        yield [(player, Standing(score, at, version, event, at)) for player, score, at, version, event in rows]

    async def _given(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        async with open_database(self._url) as store:
            await store.fetch(REMOVE_ALL, *key)
            await put(store, key, board, standings)


_shared: list[str] = []


async def shared_database() -> str:
    """Return the URL of a database that all these tests share. Each empties it first."""
    if not _shared:
        _shared.append(await fresh_database())
    return _shared[0]


@asynccontextmanager
async def postgres_rankings(url: str | None = None) -> AsyncIterator[PostgresRankings]:
    url = url or await shared_database()
    async with open_database(url) as store:
        await store.fetch(EMPTY)
        yield PostgresRankings(url, store)
