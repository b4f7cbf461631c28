"""Copies of stores that an old version wrote, and reads of them through the API."""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import sys
from asyncio.subprocess import PIPE
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from harness.client import Answer, Client
from harness.servers import postgres
from harness.service import Running, running
from scoreboard.application.ports.clock import Clock
from scoreboard.application.upkeep.verify import verify
from scoreboard.bootstrap import mounting

FOLDER = Path(__file__).parent / "v0.1.0"
WRITTEN_AT = "2026-11-20T12:00:00Z"  # time of the service that wrote the stores
LATE = "late"  # the player whose update was committed but not ranked


def micros(text: str) -> int:
    """Convert an ISO time to microseconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def load_json(name: str) -> Any:
    """Load a JSON file next to the stores."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@dataclass
class Store:
    """A restored store, with the settings and the clock of its service."""

    kind: str
    data: Path
    clock: Clock
    settings: dict[str, Any] = field(default_factory=dict)

    def running(self, *parts: mounting.Part) -> AbstractAsyncContextManager[Running]:
        """Run the service on the store, or only these parts."""
        selected = frozenset(parts) or mounting.PARTS
        return running(
            self.data, parts=selected, clock=self.clock, server_updates_per_second=1_000_000, **self.settings
        )

    async def migrate(self) -> list[str]:
        """Run `scoreboard migrate`, and return the names of the applied migrations."""
        command = [str(Path(sys.executable).with_name("scoreboard")), "migrate", "--json", "--data", str(self.data)]
        if "database_url" in self.settings:
            command += ["--database-url", self.settings["database_url"]]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")}
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return list(json.loads(out)["applied"])

    async def content(self) -> list[str]:
        """Return every row of every table, as text."""
        if self.kind == "sqlite":
            with contextlib.closing(sqlite3.connect(self.data / "scoreboard.db")) as database:
                return list(database.iterdump())
        connection = await asyncpg.connect(self.settings["database_url"])
        try:
            tables = await connection.fetch(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
            )
            statements = {table: f"SELECT t::text FROM {table} t" for (table,) in tables}  # noqa: S608 - names from the catalogue
            rows = {table: await connection.fetch(statement) for table, statement in statements.items()}
        finally:
            await connection.close()
        return sorted(f"{table} {row}" for table, found in rows.items() for (row,) in found)

    async def execute(self, statements: str) -> None:
        """Run SQL statements in PostgreSQL."""
        connection = await asyncpg.connect(self.settings["database_url"])
        try:
            await connection.execute(statements)
        finally:
            await connection.close()


async def restore(kind: str, folder: Path, clock: Clock, **given: Any) -> Store:
    """Restore a data folder, and its database in SQLite or PostgreSQL."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.copyfile(FOLDER / "token.key", data / "token.key")
    (data / "token.key").chmod(0o600)
    dump = (FOLDER / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(data / "scoreboard.db")) as connection:
            connection.executescript(dump)
        return Store(kind, data, clock)
    store = Store(kind, data, clock, {"database_url": await postgres.empty_database(), **given})
    await store.execute(dump)
    return store


async def read_all(service: Running) -> dict[str, Any]:
    """Return everything that the API returns about the apps, except event ids."""
    operator = service.operator
    found = {}
    for app in (await operator.get("/v1/apps")).ok()["apps"]:
        at = f"/v1/apps/{app['app']}"
        boards = (await operator.get(f"{at}/boards")).ok()["boards"]
        found[app["app"]] = {
            "app": app,
            "actions": (await operator.get(f"{at}/actions")).ok()["actions"],
            "players": (await operator.get(f"{at}/players?limit=1000")).ok()["players"],
            "boards": {
                board["board"]: await _board(operator, f"{at}/boards/{board['board']}", board) for board in boards
            },
        }
    return found


async def _board(operator: Client, at: str, rules: dict[str, Any]) -> dict[str, Any]:
    """Return rules, number and digest of ledger entries, and tables of a board."""
    entries = (await operator.get(f"{at}/ledger?limit=1000")).ok()["entries"]
    fields = ("accepted_at", "season", "region", "player", "value", "score", "previous_score", "metadata")
    canonical = json.dumps([[entry.get(name) for name in fields] for entry in entries])
    tables = {}
    for season in sorted({entry["season"] for entry in entries}):
        for region in (None, *rules["regions"]):
            query = f"season={season}" + ("" if region is None else f"&region={region}")
            tables[f"{season} {region or 'world'}"] = await _table(operator, at, query)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return {"rules": rules, "entries": len(entries), "digest": digest, "tables": tables}


async def _table(operator: Client, at: str, query: str) -> list[list[Any]]:
    """Return rank, player and score of each entry; check single reads too."""
    page = (await operator.get(f"{at}/top?limit=1000&{query}")).ok()
    lines = [[line["rank"], line["player"], line["score"]] for line in page["entries"]]
    for rank, player, score in lines:
        alone = (await operator.get(f"{at}/players/{quote(player)}?{query}")).ok()
        assert [alone["rank"], alone["score"], alone["total"]] == [rank, score, len(lines)]
    return lines


async def send(service: Running, request: dict[str, Any]) -> list[list[Any]]:
    """Send a request; return status or code, event id and replay flag per update.

    The body has the same bytes as before, as the idempotency key requires.
    """
    headers = {} if request["key"] is None else {"Idempotency-Key": request["key"]}
    client = service.client(request["role"], request["app"], request["subject"])
    answer = await client.call("POST", request["path"], request["body"], headers=headers)
    if answer.status == 200 and "results" in answer.body:
        return [
            [result.get("code", result["status"]), result.get("event"), result.get("replayed", False)]
            for result in answer.body["results"]
        ]
    return [[*_one(answer), answer.headers.get("Idempotent-Replayed") == "true"]]


def _one(answer: Answer) -> tuple[str, str | None]:
    if answer.status >= 400:
        return answer.code, None
    return answer.body["status"], answer.body["event"]


async def outcomes(service: Running, app: str, events: list[str | None]) -> list[Any]:
    """Return the outcome of each event, without its id."""
    fields = ("status", "board", "player", "season", "accepted_at", "score", "previous_score", "code")
    found: list[Any] = []
    for event in events:
        answer = None if event is None else (await service.operator.get(f"/v1/apps/{app}/events/{event}")).ok()
        found.append(answer and [answer[name] for name in fields])
    return found


async def pending(service: Running) -> set[str]:
    """Return the table and player of each pending projection."""
    directory = service.service.directory
    boards = {
        board.pk: f"{app.slug} {board.slug}" for app in await directory.apps() for board in await directory.boards(app)
    }
    _, standings = await service.service.ledger.pending_projections()
    return {f"{boards[key.board]} {key.season} {key.region or 'world'} {player}" for key, player, _ in standings}


async def differences(service: Running) -> list[str]:
    """Return the differences between ledger, totals and ranking of all boards."""
    core, found = service.service, list[str]()
    for app in await core.directory.apps():
        for board in await core.directory.boards(app):
            found += (await verify(core.ledger, core.read_ranking, board)).differences
    return found
